"""What /proc tells: which processes belong to an instance, how long they run and how much memory they take."""

import os
import signal
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
HOME_VARIABLE = "BREAKWATER_HOME"
PART_VARIABLE = "BREAKWATER_PART"
_TITLED = {"nginx": "proxy", "postgres": "postgres"}
"""Programs that write their title over their environment, and the part each one is."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Proportional set size: pages that several processes share are counted once in the sum."""

    bytes: int
    complete: bool


def pids() -> Iterator[int]:
    """All processes."""
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def of_instance(home: Path) -> dict[int, str]:
    """The processes of an instance and the part of each, whoever their parent is now.

    The supervisor gives its children two variables. Two programs write their title over their environment, but stay
    in the instance's folders; anything else there, such as a person's shell, is not ours.
    """
    mark = f"{HOME_VARIABLE}={home}".encode()
    found = {}
    for pid in pids():
        with suppress(OSError):
            environment = _environment(pid)
            part = _value(environment, PART_VARIABLE)
            if mark in environment and part:
                found[pid] = part
            elif (titled := _TITLED.get(_program(pid))) and _folder(pid).is_relative_to(home):
                found[pid] = titled
    found.pop(os.getpid(), None)
    return found


def stop(victims: Collection[int], *, seconds: float) -> None:
    """SIGTERM, and SIGKILL to what is left after a while."""
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        await_end(victims, seconds=patience)


def await_end(watched: Collection[int], *, seconds: float) -> None:
    """Wait until all of these have ended, or the time is over."""
    deadline = time.monotonic() + seconds
    while any(map(alive, watched)) and time.monotonic() < deadline:
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be buried does not."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:
        return False


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    children = defaultdict(list)
    for pid in pids():
        with suppress(OSError, IndexError):
            children[int(_stat(pid)[1])].append(pid)
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children[pid]
    return found


def seconds_alive(pid: int) -> float:
    """How long a process has run."""
    started = int(_stat(pid)[19]) / os.sysconf("SC_CLK_TCK")
    return float(PROC.joinpath("uptime").read_text(encoding="ascii").split()[0]) - started


def memory(members: Iterable[int]) -> Memory:
    """What these processes take together; not complete where one may not be looked at."""
    total, complete = 0, True
    for pid in members:
        try:
            text = PROC.joinpath(str(pid), "smaps_rollup").read_text(encoding="ascii")
        except OSError:
            complete = complete and not alive(pid)
            continue
        total += next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0)
    return Memory(bytes=total, complete=complete)


def title(pid: int) -> str:
    """What a process is called, with the instance it belongs to where it is a Breakwater's."""
    name = _program(pid)
    with suppress(OSError):
        home = _value(_environment(pid), HOME_VARIABLE)
        if home is None and name in _TITLED and _folder(pid).match("work/proxy"):
            home = str(_folder(pid).parents[1])
        if home:
            return f"{name} of the Breakwater at {home}"
    return name


def owner_of(inodes: Collection[int]) -> int | None:
    """A process that holds one of these sockets open."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in sorted(pids()):
        with suppress(OSError):
            if any(str(entry.readlink()) in wanted for entry in _descriptors(pid)):
                return pid
    return None


def _descriptors(pid: int) -> Iterator[Path]:
    return PROC.joinpath(str(pid), "fd").iterdir()


def _environment(pid: int) -> list[bytes]:
    return PROC.joinpath(str(pid), "environ").read_bytes().split(b"\0")


def _folder(pid: int) -> Path:
    return PROC.joinpath(str(pid), "cwd").readlink()


def _program(pid: int) -> str:
    try:
        return PROC.joinpath(str(pid), "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "a process"


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may hold anything: the state is the first of them."""
    text = PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()


def _value(environment: list[bytes], name: str) -> str | None:
    start = f"{name}=".encode()
    return next((os.fsdecode(entry[len(start) :]) for entry in environment if entry.startswith(start)), None)
