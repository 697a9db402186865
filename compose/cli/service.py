"""`service install` and `service remove`: the instance at boot."""

import typer

from compose.cli.terminal import out
from compose.local import unit
from compose.local.options import read_options
from compose.local.site import existing_site

app = typer.Typer(help="Bring the instance up when the machine starts.", no_args_is_help=True)


@app.command("install")
def install() -> None:
    """Write and enable a systemd unit for this instance. It has to have been up once: that settles its settings."""
    options = read_options()
    file = unit.install(existing_site(options).layout, options.command)
    out.print(f"{file} is enabled; systemctl start {file.name} starts it now")


@app.command("remove")
def remove() -> None:
    """Disable and remove the unit; what runs goes on."""
    options = read_options()
    there = unit.remove(existing_site(options).layout)
    out.print("the unit is removed" if there else "there is no unit of this instance")
