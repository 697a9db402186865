"""`python -m compose.docker.health NAME`: exit code 0 where that part, the first process of its container, is well.

For the parts in Python alone: what is asked often must not load much.
"""

import sys
from http import HTTPStatus
from pathlib import Path

from compose.local import asking

RUN = Path("/var/lib/breakwater/run")
INTAKE_PORT = 5001
FIRST_PROCESS = 1


def is_well(part: str, *, run: Path = RUN) -> bool:
    """Ask the part. Raises KeyError for a name that is none."""
    if part in asking.WITH_NOTES:
        return asking.is_ready(run, part, FIRST_PROCESS)
    if part == "intake":
        return asking.serves(INTAKE_PORT, asking.INTAKE_TARGET)
    socket, target = asking.AT_SOCKETS[part]
    return asking.status(run / socket, target) == HTTPStatus.OK


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
