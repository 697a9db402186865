"""`python -m compose.docker.part NAME`: becomes that part, with the command and environment it has everywhere."""

import os
import sys
from dataclasses import replace

from compose.docker.places import note_place, take_place
from compose.docker.site import container_site
from compose.local.parts import parts
from shared.errors import BreakwaterError
from shared.replicas import numbered


def become(name: str) -> None:
    """Replace this process. Raises BreakwaterError, or StopIteration for a name that is none."""
    site = container_site()
    if site.replicas > 1:
        site = replace(site, replica=take_place(site.layout.run, name, site.replicas))
        note_place(site.layout.work, site.replica)
    part = next(part for part in parts(site) if part.name == name)
    part.directory.mkdir(exist_ok=True, parents=True)
    # every process here has the same number: what the last one has left would speak for this one
    site.layout.run.joinpath(f"{numbered(name, site.replica)}.ready").unlink(missing_ok=True)
    os.chdir(part.directory)
    os.umask(int(part.umask, 8))
    os.execve(part.command[0], part.command, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **part.environment})  # noqa: S606


if __name__ == "__main__":
    try:
        become(sys.argv[1])
    except BreakwaterError as error:
        sys.exit(error.sentence)
