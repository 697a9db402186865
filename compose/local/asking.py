"""How a part is asked whether it does its work: by the standard library alone, as in containers it is loaded often."""

import socket
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from compose.local.sockets import status_at

_SECONDS = 2.0
SILENT_SECONDS = 60.0
"""A part that leaves notes does so every few seconds: where it is silent for so long, it stands still."""
LIVE = "/livez"
"""Whether a process turns, whatever else is away."""
READY = "/readyz"
"""Whether it can do its work now."""
AT_SOCKETS = {"token": "token", "core": "core", "events": "stream"}
"""Parts that answer at a socket of the run folder, and its name."""
WITH_NOTES = ("relay", "audit", "metadata", "webhook", "replication")
"""Parts that leave a note in the run folder once they have begun their work, and again and again as they go on: the
number of the process, and what it lacked when it looked last."""


def status(path: Path, target: str) -> int | None:
    """What is answered at a socket; None where nothing is."""
    return status_at(path, target, seconds=_SECONDS)


def is_alive(run: Path, part: str, pid: int) -> bool:
    """Whether this very process has begun its work, and goes on."""
    return lacks(run, part, pid) is not None


def lacks(run: Path, part: str, pid: int) -> list[str] | None:
    """What this very process needs and did not find when it looked last; None where it does not go on."""
    note = run / f"{part}.ready"
    try:
        number, *found = note.read_text(encoding="ascii").split() or [""]
        goes_on = number == str(pid) and time.time() - note.stat().st_mtime < SILENT_SECONDS
    except OSError:
        return None
    return found if goes_on else None


def serves(port: int, target: str) -> bool:
    """Whether this is answered well on a port of this host."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", target)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether connections are taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex((address, port)) == 0


def speaks_amqp(port: int) -> bool:
    """The broker opens its port early and answers the greeting once it is up."""
    with socket.socket() as probe:
        probe.settimeout(_SECONDS)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False
        try:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return len(probe.recv(8)) > 0
        except OSError:
            return False
