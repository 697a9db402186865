"""Which of several equal containers of a part this one is: the first number that no other one holds.

It is held by a lock on a file in the run folder, where all of them have their sockets; the kernel lets it go when the
container's last process ends: whoever is killed leaves its place to the next one.
"""

import fcntl
import os
from pathlib import Path

from shared.errors import Conflict
from shared.replicas import numbered

NOTE = "replica"
"""In the container's own work folder: what it is asked by for its health."""


def take_place(run: Path, name: str, places: int) -> int:
    """A number that is this process's own until its end, whatever it becomes. Raises Conflict where all are held."""
    for number in range(1, places + 1):
        descriptor = os.open(run / f"{numbered(name, number)}.held", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        os.set_inheritable(descriptor, True)
        return number
    raise Conflict(f"{places} containers of the part {name} run already, as many as BREAKWATER_REPLICAS says")


def note_place(work: Path, number: int) -> None:
    """Leave word of it to the container's health check."""
    (work / NOTE).write_text(f"{number}\n", encoding="ascii")


def noted_place(work: Path) -> int:
    """What was noted last; 1 where nothing was."""
    try:
        return int((work / NOTE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1
