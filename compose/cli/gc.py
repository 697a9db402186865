"""`gc`: collections of garbage, asked for and watched from a terminal; the metadata service carries them out."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.filesize import decimal
from rich.table import Table

from compose.cli.session import OPERATOR, session_of
from compose.cli.terminal import err, out, print_table
from services.api.commands.collection import request_collection, stop_collection
from services.api.domain.collection import Collection, parse_wish
from services.api.domain.retention import Status, Trigger
from services.api.queries.collection import get_collection, list_collections
from shared.errors import Conflict
from shared.listing import Listing
from shared.settings import Settings, load_settings

app = typer.Typer(help="Free the storage of what nothing names.", no_args_is_help=True)

_SHOWN: Final = 20
_PAUSE: Final = 0.5

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")]
Untagged = Annotated[bool, typer.Option("--delete-untagged", help="Delete artifacts first that nothing keeps.")]
Number = Annotated[int, typer.Argument(help="The collection's number.", min=1, show_default=False)]


@app.command("run")
def run(dry_run: DryRun = False, delete_untagged: Untagged = False) -> None:
    """Collect garbage now, and show how far it is. To break this off stops nothing: `gc stop` does."""
    settings = _settings()
    wish = parse_wish({"dry_run": dry_run, "delete_untagged": delete_untagged})
    with session_of(settings) as session:
        number = request_collection(
            session, wish, trigger=Trigger.MANUAL, actor=OPERATOR, request_id="", now=datetime.now(UTC)
        )
    out.print(f"collection {number}: waits for the metadata service")
    ended = _follow(settings, number)
    out.print(ended.log.rstrip(), markup=False)
    if ended.status is not Status.SUCCESS:
        err.print(f"collection {number}: {ended.status}", style="red", markup=False)
        raise typer.Exit(1)
    out.print(f"{'would free' if ended.dry_run else 'freed'} {decimal(ended.freed)}: {ended.blobs:,} blobs")


@app.command("list")
def show_list() -> None:
    """The last collections, the newest first."""
    with session_of(_settings()) as session:
        found = list_collections(session, Listing(page_size=_SHOWN)).records
    if not found:
        out.print("garbage was never collected")
        return
    table = Table("id", "asked for", "by", "state", "artifacts", "blobs", "freed", box=None)
    for each in found:
        table.add_row(
            str(each.id),
            f"{each.created_at:%Y-%m-%d %H:%M:%S}",
            f"{each.actor}, {each.trigger.lower()}",
            f"{each.status}{', dry run' if each.dry_run else ''}",
            f"{each.artifacts:,}",
            f"{each.blobs:,}",
            decimal(each.freed),
        )
    print_table(table)


@app.command("stop")
def stop(number: Number) -> None:
    """Stop a collection: one that waits at once, one that runs within some seconds."""
    with session_of(_settings()) as session:
        told = stop_collection(session, number, now=datetime.now(UTC))
    if not told:
        raise Conflict(f"collection {number} has ended already")
    out.print(f"collection {number} is told to stop")


def _settings() -> Settings:
    return load_settings(part="owner")


def _follow(settings: Settings, number: int) -> Collection:
    """Say what changes until it has ended."""
    told = ""
    while True:
        with session_of(settings) as session:
            found = get_collection(session, number)
        if found.finished_at is not None:
            return found
        if found.status is Status.RUNNING and (now := found.progress or "running") != told:
            told = now
            out.print(now, markup=False)
        time.sleep(_PAUSE)
