"""`python -m compose.docker.health NAME`: exit code 0 where that part, the first process of its container, can work.

With `--alive` it is 0 as long as the process turns, whatever else is away. For the parts in Python alone: what is asked
often must not load much.
"""

import sys
from http import HTTPStatus
from pathlib import Path

from compose.docker.places import noted_place
from compose.local import asking
from shared.replicas import numbered

RUN = Path("/var/lib/breakwater/run")
WORK = Path("/var/lib/breakwater/work")
INTAKE_PORT = 5001
FIRST_PROCESS = 1
ALIVE = "--alive"


def is_well(part: str, *, alive: bool = False, run: Path = RUN, work: Path = WORK) -> bool:
    """Ask the part, and of several equal ones this very one. Raises KeyError for a name that is none."""
    number = noted_place(work)
    if part in asking.WITH_NOTES:
        found = asking.lacks(run, numbered(part, number), FIRST_PROCESS)
        return found is not None and (alive or not found)
    target = asking.LIVE if alive else asking.READY
    if part == "intake":
        return asking.serves(INTAKE_PORT, target)
    socket = numbered(asking.AT_SOCKETS[part], number)
    return asking.status(run / f"{socket}.sock", target) == HTTPStatus.OK


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1], alive=ALIVE in sys.argv[2:]) else 1)
