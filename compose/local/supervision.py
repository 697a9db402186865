"""supervisord and its remote procedures: starting it, asking it, telling it."""

import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from http.client import HTTPException
from typing import Any, cast

from supervisor.xmlrpc import Faults

from compose.local.layout import Layout
from compose.local.site import Site
from compose.local.sockets import UnixTransport
from shared.errors import BreakwaterError

_START_SECONDS = 10


class SupervisorSilent(BreakwaterError):
    """supervisord does not start, or does not answer."""

    code = "SUPERVISOR_SILENT"
    default = "the supervisor does not answer"


class State(StrEnum):
    """supervisord's states of a child."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    """It ended too early and is tried again."""
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    """It ended too early too often; it is tried again each minute."""
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, kw_only=True)
class Child:
    """What supervisord tells of a part."""

    part: str
    state: State
    pid: int
    started: float
    description: str


class Supervisor:
    """The running supervisor of an instance."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        """Whether it answers."""
        with suppress(SupervisorSilent):
            return bool(self._call("getPID"))
        return False

    def pid(self) -> int:
        """Its process id."""
        return cast("int", self._call("getPID"))

    def children(self) -> dict[str, Child]:
        """Every part it knows."""
        entries = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        return {
            entry["name"]: Child(
                part=entry["name"],
                state=State(entry["statename"]),
                pid=entry["pid"],
                started=float(entry["start"]),
                description=entry["spawnerr"] or entry["description"],
            )
            for entry in entries
        }

    def start(self, parts: Iterable[str]) -> None:
        """Begin to start parts; those that run already are left alone."""
        for part in parts:
            self._tolerant("startProcess", part, Faults.ALREADY_STARTED)

    def stop(self, parts: Iterable[str]) -> None:
        """Stop parts together: SIGTERM, and SIGKILL to those that take too long. Returns when all are gone."""
        waiting = set(parts)
        for part in waiting:
            self._tolerant("stopProcess", part, Faults.NOT_RUNNING)
        while waiting:
            children = self.children()
            resting = {State.STOPPED, State.EXITED, State.FATAL}
            waiting = {part for part in waiting if part in children and children[part].state not in resting}
            time.sleep(0.05)

    def shut_down(self) -> None:
        """End supervisord itself."""
        with suppress(SupervisorSilent):
            self._call("shutdown")

    def _tolerant(self, method: str, part: str, fault: int) -> None:
        try:
            self._call(method, part, False)
        except xmlrpc.client.Fault as error:
            # a program that cannot be executed is told of by its state
            if error.faultCode not in {fault, Faults.SPAWN_ERROR, Faults.NO_FILE, Faults.NOT_EXECUTABLE}:
                raise SupervisorSilent(f"the supervisor refuses {method} {part}: {error.faultString}") from error

    def _call(self, method: str, *arguments: object) -> object:
        transport = UnixTransport(self._layout.supervisor_socket)
        try:
            with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException, xmlrpc.client.ProtocolError) as error:
            raise SupervisorSilent from error


def start_supervisor(site: Site) -> Supervisor:
    """Start supervisord, with no part running yet. Raises SupervisorSilent with what it said."""
    layout = site.layout
    said = layout.log / "supervisord.out"
    with said.open("wb") as output:
        process = subprocess.Popen(
            [site.python, "-m", "supervisor.supervisord", "-n", "-c", layout.conf / "supervisord.conf"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=layout.home, start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "PYTHONPATH": str(layout.code)},
        )  # fmt: skip
    supervisor = Supervisor(layout)
    deadline = time.monotonic() + _START_SECONDS
    while not supervisor.is_running():
        if process.poll() is not None or time.monotonic() > deadline:
            last = said.read_text(encoding="utf-8", errors="replace").strip()
            raise SupervisorSilent(f"the supervisor does not start: {last or 'it says nothing'}")
        time.sleep(0.05)
    process.returncode = 0  # it is to outlive this process: nobody waits for it
    return supervisor
