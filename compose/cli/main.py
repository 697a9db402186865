"""The verbs in one place. A refusal is one sentence on stderr and exit code 1; wrong usage is exit code 2."""

import io
import sys
from typing import NoReturn

import typer

from compose.cli import (
    admin,
    audit,
    backup,
    bench,
    catalogue,
    config,
    develop,
    doctor,
    events,
    gc,
    keys,
    lifecycle,
    logs,
    replication,
    screenshots,
    service,
    tour,
)
from compose.cli.terminal import err
from compose.local.options import read_options
from compose.local.site import existing_site
from shared.errors import BreakwaterError
from shared.settings import announce

app = typer.Typer(
    name="breakwater",
    help="A container registry with accounts, a record and events.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(lifecycle.bring_up)
app.command("down")(lifecycle.take_down)
app.command("status")(lifecycle.show_status)
app.command("doctor")(doctor.doctor)
app.command("logs")(logs.logs)
app.command("tour")(tour.tour)
app.command("destroy")(lifecycle.destroy)
app.add_typer(service.app, name="service")
app.add_typer(config.app, name="config")
app.add_typer(admin.app, name="admin")
app.add_typer(keys.app, name="keys")
app.add_typer(events.app, name="events")
app.add_typer(audit.app, name="audit")
app.add_typer(gc.app, name="gc")
app.add_typer(replication.app, name="replication")
app.command("backup")(backup.take_backup)
app.command("restore")(backup.restore_backup)
app.command("reconcile")(catalogue.reconcile)
app.command("adopt")(catalogue.adopt)
app.command("check")(develop.check)
app.command("test")(develop.run_tests)
app.command("test-all")(develop.run_all_tests)
app.command("test-compose")(develop.run_compose_tests)
app.add_typer(bench.app, name="bench")
app.command("screenshots")(screenshots.screenshots)

WITHOUT_INSTANCE = {
    "up", "down", "destroy", "restore", "config", "check", "test", "test-all", "test-compose", "bench", "screenshots",
}  # fmt: skip
"""Verbs that do not ask for an instance that was started once."""


@app.callback()
def settings(context: typer.Context) -> None:
    """Let the verbs find the instance by `shared.settings`, as its parts do."""
    try:
        announce(existing_site(read_options()).settings)
    except BreakwaterError:
        if context.invoked_subcommand not in WITHOUT_INSTANCE:
            raise


def main() -> None:
    """Run a verb and end the process with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding has no tick; that ends no verb
    try:
        app(prog_name="breakwater")
    except BreakwaterError as error:
        _refuse(error.sentence)
    except OSError as error:
        # a disk that is full or read-only, a folder that is another's: the machine's refusal, not a fault of ours
        where = f" ({error.filename})" if error.filename else ""
        _refuse(f"this machine refuses what is needed: {error.strerror or error}{where}")


def _refuse(sentence: str) -> NoReturn:
    err.print(sentence, style="red", markup=False)
    sys.exit(1)
