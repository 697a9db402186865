"""Registries as children: started, waited for, ended; and those that an earlier parent has left behind."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

START_SECONDS = 30.0
_POLL = 0.05

Child = subprocess.Popen[bytes]


class NotStarted(Exception):
    """A registry that did not come to answer."""


def serve(program: str, conf: str) -> Child:
    """Start a registry."""
    return subprocess.Popen([program, "serve", conf], stdin=subprocess.DEVNULL)


def await_answers(child: Child, path: Path) -> None:
    """Wait until it takes connections. Raises NotStarted where it ends, or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if _answers(path):
            return
        time.sleep(_POLL)
    raise NotStarted(f"the registry of {path.name} does not answer")


def end(*children: Child, seconds: float) -> None:
    """SIGTERM, and SIGKILL to what is there still after a while."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def point(front: Path, target: Path) -> None:
    """Let the name lead to another socket; at no moment does it lead nowhere."""
    beside = front.with_name(f"{front.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target.name)
    beside.replace(front)


def end_orphans() -> None:
    """Kill what a killed parent has left: a collection that went on beside a registry that is written to takes blobs.

    They are known by the variables that the supervisor gave to that parent, and gives to this one.
    """
    marks = {
        f"{name}={os.environ[name]}".encode() for name in ("BREAKWATER_HOME", "BREAKWATER_PART") if name in os.environ
    }
    # not those above: in a container, and under a test, they have the same
    spared = {os.getpid(), os.getppid()}
    while marks and (orphans := [pid for pid in _pids() if pid not in spared and marks <= _environment(pid)]):
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> set[bytes]:
    """None of another account's, and none of a process that only waits to be buried."""
    try:
        return {*Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
    except OSError:
        return set()
