"""Asks each part whether it does its work: by its own protocol, never by its pid alone."""

import socket
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from compose.local import database
from compose.local.site import Site
from compose.local.sockets import status_at

_SECONDS = 2.0

Probe = Callable[[int], bool]
"""Asks the part whose main process has this id."""


def probes(site: Site) -> dict[str, Probe]:
    """A question for each part."""
    run = site.layout.run
    asked: dict[str, Callable[[], bool]] = {
        "log": lambda: _takes(run / "log.sock"),
        "postgres": lambda: database.answers(site),
        "rabbitmq": lambda: _speaks_amqp(site.ports.amqp),
        "registry": lambda: _status(run / "registry.sock", "/v2/") == HTTPStatus.UNAUTHORIZED,
        "token": lambda: _status(run / "token.sock", "/internal/health") == HTTPStatus.OK,
        "core": lambda: _status(run / "core.sock", "/healthz") == HTTPStatus.OK,
        "events": lambda: _status(run / "stream.sock", "/healthz") == HTTPStatus.OK,
        "intake": lambda: _serves(site.ports.intake, "/internal/health"),
        "proxy": lambda: _listens(site.options.port, str(site.options.bind)),
    }
    ready = ("relay", "audit", "metadata", "webhook", "replication")
    consumers = {part: partial(_is_ready, run / f"{part}.ready") for part in ready}
    return {part: _by_protocol(ask) for part, ask in asked.items()} | consumers


def _by_protocol(ask: Callable[[], bool]) -> Probe:
    """What is known by an answer needs no process id."""
    return lambda _pid: ask()


def _status(path: Path, target: str) -> int | None:
    return status_at(path, target, seconds=_SECONDS)


def _is_ready(note: Path, pid: int) -> bool:
    """What a service writes once it has begun its work, with the id of its process."""
    try:
        return note.read_text(encoding="ascii").strip() == str(pid)
    except OSError:
        return False


def _serves(port: int, target: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.request("GET", target)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _takes(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _listens(port: int, address: str = "127.0.0.1") -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.settimeout(_SECONDS)
        return probe.connect_ex((address, port)) == 0


def _speaks_amqp(port: int) -> bool:
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
