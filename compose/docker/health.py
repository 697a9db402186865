"""`python -m compose.docker.health NAME`: exit code 0 where that part, the first process of its container, is well.

For the parts in Python alone: what is asked often must not load much.
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


def is_well(part: str, *, run: Path = RUN, work: Path = WORK) -> bool:
    """Ask the part, and of several equal ones this very one. Raises KeyError for a name that is none."""
    number = noted_place(work)
    if part in asking.WITH_NOTES:
        return asking.is_ready(run, numbered(part, number), FIRST_PROCESS)
    if part == "intake":
        return asking.serves(INTAKE_PORT, asking.INTAKE_TARGET)
    socket, target = asking.AT_SOCKETS[part]
    return asking.status(run / f"{numbered(socket, number)}.sock", target) == HTTPStatus.OK


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
