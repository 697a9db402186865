"""`backup` and `restore`: all that an instance is in one file, and an instance out of it."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from compose.cli.here import contained, site_here
from compose.cli.terminal import err, out, shown
from compose.docker import restoring
from compose.docker.restoring import refuse_lost
from compose.local.archive import Progress as Told
from compose.local.backup import prepared, storage_place
from compose.local.options import read_options
from compose.local.restore import Restored, restore
from compose.local.up import up

File = Annotated[Path, typer.Argument(help="The backup.", show_default=False)]
WithRegistry = Annotated[
    bool,
    typer.Option(
        "--registry/--no-registry", help="With the registry's storage, or only with a note of where it lies."
    ),
]
Start = Annotated[bool, typer.Option("--start/--no-start", help="Start the instance afterwards.")]


def take_backup(context: typer.Context, file: File, registry: WithRegistry = True) -> None:
    """Write all that the instance is into a new file, while it runs."""
    signal.signal(signal.SIGTERM, _end)
    site = site_here(context)
    if site.contained:
        refuse_lost(file.absolute())
    with shown() as watcher:
        watcher.stage("reading the database")
        preparation = prepared(site, file.absolute(), with_registry=registry)
    with preparation, _bar("writing", preparation.size()) as told:
        taken = preparation.write(told)
    out.print(f"written: {taken.file} ({taken.size / 1e6:,.1f} MB, of it {taken.database_size / 1e6:,.1f} of database)")
    out.print("It holds every key and password hash of the instance: keep it as you keep those.")
    if taken.spoilt_blobs:
        err.print(
            f"{taken.spoilt_blobs} blobs of the registry's storage are not what their names say, and are in it as they"
            f" are: the first is {taken.first_spoilt_blob}", style="yellow", markup=False,
        )  # fmt: skip
    if not registry:
        place = storage_place(site)
        out.print(f"The registry's storage is not in it: keep a copy of {place} taken after this one.", markup=False)


def _end(_number: int, _frame: object) -> None:
    """Remove what is there of it, as after an interrupt: it holds every key."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def restore_backup(context: typer.Context, file: File, start: Start = True) -> None:
    """Make an instance out of a backup, in a home that has none, and start it."""
    if site := contained(context):
        with _bar("restoring", file.stat().st_size) as told:
            _tell(restoring.restore(site, file, told), "these volumes")
        out.print("docker compose up -d starts it, with the settings that .env has here, then the verbs")
        out.print("reconcile, which compares catalogue and registry, and audit verify, which checks the record")
        return
    options = read_options()
    with _bar("restoring", file.stat().st_size) as told:
        restored = restore(options, file, told)
    _tell(restored, str(restored.home))
    if not start:
        out.print("./breakwater up starts it, ./breakwater reconcile compares catalogue and registry")
        return
    options = read_options()  # the backup brings what the instance was last started with
    with shown() as watcher:
        up(options, watcher)
    out.print(f"it is up: {options.public_url}")
    out.print("./breakwater reconcile compares catalogue and registry; ./breakwater audit verify checks the record")


def _tell(restored: Restored, place: str) -> None:
    moment = f"{restored.manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"restored into {place}: the instance as it was at {moment}")


@contextmanager
def _bar(what: str, size: int) -> Iterator[Told]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=out, disable=not out.is_terminal) as shown_progress:
        task = shown_progress.add_task(what, total=size)
        yield lambda number: shown_progress.advance(task, number)
