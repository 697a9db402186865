"""The scripts by which servers begin in containers, whatever images they are in."""

import shlex
from collections.abc import Mapping

from compose.conf import views
from compose.conf.render import render
from compose.local.database import initdb_command
from compose.local.parts import INFRASTRUCTURE, Part, parts
from compose.local.site import Site

SERVERS = (*INFRASTRUCTURE, "proxy")
"""Parts that are no Python of ours: a shell script starts them, in whatever image they are."""


def lay_scripts(site: Site) -> None:
    """Write the script of each server that runs here, and remove that of one which is outside now."""
    described = {part.name: part for part in parts(site)}
    for name in SERVERS:
        script = site.layout.conf / f"{name}.sh"
        if name in described:
            script.write_text(start_script(site, described[name]), encoding="utf-8")
        else:
            script.unlink(missing_ok=True)


def start_script(site: Site, part: Part) -> str:
    """What becomes this part, the first process of a container, with the image's own search path before ours.

    Said with the word `changed` it ends with 0 where the part's configuration is another one than when it was started.
    """
    return render(
        "start.sh",
        {
            "name": part.name,
            "configuration": shlex.join(map(str, part.conf)),
            "started": site.layout.work / "started-with",
            "umask": part.umask,
            "environment": assignments(site, part.environment),
            "making": _making(site) if part.name == "postgres" else None,
            "left": site.log_socket if part.name == "log" else None,
            "directory": part.directory,
            "command": shlex.join(part.command),
        },
    )


def assignments(site: Site, environment: Mapping[str, str]) -> list[str]:
    """The environment of a server as a shell reads it."""
    own = {name: value for name, value in environment.items() if name != "PATH"}
    if "RABBITMQ_NODENAME" in own:
        own["PATH"] = f"{site.binaries.rabbitmq}:$PATH"
    return [f'{name}="{value}"' for name, value in sorted(own.items())]


def _making(site: Site) -> views.View:
    fresh = site.layout.database.with_name("data.new")
    password = site.layout.secrets / "postgres" / "superuser-password"
    return {
        "folder": site.layout.database,
        "fresh": fresh,
        "command": shlex.join(map(str, initdb_command(site, fresh, password))),
    }
