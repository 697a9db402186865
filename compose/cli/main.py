"""The command line. A refusal is one sentence on stderr and exit code 1; wrong usage is exit code 2."""

import io
import sys
from typing import NoReturn

import typer

from compose.cli.here import site_here
from compose.cli.terminal import err
from compose.cli.verbs import WITHOUT_INSTANCE, Verbs
from compose.local.site import Site
from shared.errors import BreakwaterError
from shared.settings import announce

app = typer.Typer(
    cls=Verbs,
    name="breakwater",
    help="A container registry with accounts, a record and events.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def settings(context: typer.Context) -> None:
    """Let the verbs find the instance by `shared.settings`, as its parts do."""
    try:
        site = site_here(context)
        # compose passes on what an operator may set, with defaults of a broker outside too; a machine's is read again
        announce(site.settings, all_of_them=site.contained)
    except BreakwaterError:
        if context.invoked_subcommand not in WITHOUT_INSTANCE:
            raise


def main() -> None:
    """Run a verb for the instance of this machine, and end the process with its exit code."""
    run(None)


def run(site: Site | None) -> None:
    """Run a verb for this instance in containers, or for that of this machine."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal of another encoding has no tick; that ends no verb
    try:
        app(prog_name="breakwater", obj=site)
    except BreakwaterError as error:
        _refuse(error.sentence)
    except OSError as error:
        # a disk that is full or read-only, a folder that is another's: the machine's refusal, not a fault of ours
        where = f" ({error.filename})" if error.filename else ""
        _refuse(f"this machine refuses what is needed: {error.strerror or error}{where}")


def _refuse(sentence: str) -> NoReturn:
    err.print(sentence, style="red", markup=False)
    sys.exit(1)
