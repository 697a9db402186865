"""How an instance is: each part's state, since when it runs, what memory it takes."""

import time
from dataclasses import dataclass

from compose.local import health, processes
from compose.local.parts import SERVICES
from compose.local.processes import Memory
from compose.local.site import Site
from compose.local.supervision import State, Supervisor

SUPERVISOR = "supervisor"


@dataclass(frozen=True, kw_only=True)
class PartStatus:
    """One line of the table."""

    part: str
    state: str
    healthy: bool
    pid: int
    seconds: float
    memory: Memory
    waits_for: str = ""
    """What it is alive without, and cannot do all of its work."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The whole table."""

    parts: tuple[PartStatus, ...]

    @property
    def healthy(self) -> bool:
        """Whether every part is."""
        return all(part.healthy for part in self.parts)

    @property
    def python_memory(self) -> Memory:
        """What the Python side takes: the services, the gateway's mounts and the supervisor."""
        counted = [part.memory for part in self.parts if part.part in {*SERVICES, SUPERVISOR}]
        return Memory(bytes=sum(one.bytes for one in counted), complete=all(one.complete for one in counted))


def status(site: Site) -> Status | None:
    """The table; None where nothing runs."""
    supervisor = Supervisor(site.layout)
    if not supervisor.is_running():
        return None
    children, probes, now = supervisor.children(), health.probes(site), time.time()
    own = supervisor.pid()
    lines = [
        PartStatus(
            part=SUPERVISOR, state=State.RUNNING, healthy=True, pid=own,
            seconds=processes.seconds_alive(own), memory=processes.memory([own]),
        )
    ]  # fmt: skip
    for part in site.parts:
        child = children[part]
        runs = child.state is State.RUNNING
        is_healthy = runs and probes[part](child.pid)
        lines.append(
            PartStatus(
                part=part,
                state=child.state,
                healthy=is_healthy,
                waits_for=health.waits_for(site, part, child.pid, ready=is_healthy) if runs else "",
                pid=child.pid,
                seconds=now - child.started if runs else 0,
                memory=processes.memory(processes.tree(child.pid) if child.pid else []),
            )
        )
    return Status(parts=tuple(lines))
