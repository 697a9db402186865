"""`logs`: what the parts say, out of the one place where it is kept."""

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from itertools import chain
from typing import Annotated

import typer
from rich.markup import escape

from compose.cli.terminal import out
from compose.local.layout import Layout
from compose.local.logs import Log, Wanted, moment
from compose.local.options import read_options
from compose.local.parts import PARTS
from compose.local.records import Level, Record
from shared.errors import NotFound

_COLOURS = {Level.DEBUG: "dim", Level.INFO: "", Level.WARNING: "yellow", Level.ERROR: "red"}
_HIDDEN = {"timestamp", "time", "level", "part", "event", "msg", "request_id"}
_RECENT = 50


class LevelName(StrEnum):
    """What `--level` takes."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    part: Annotated[list[str] | None, typer.Option("--part", "-p", help="This part alone; may be repeated.")] = None,
    level: Annotated[LevelName, typer.Option(help="At least as bad as this.")] = LevelName.DEBUG,
    request_id: Annotated[str | None, typer.Option(help="One request's way through the parts.")] = None,
    since: Annotated[str | None, typer.Option(help="30s, 10m, 2h, 3d or a time.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The lines as the parts said them.")] = False,
) -> None:
    """Show what the parts say."""
    unknown = sorted(set(part or ()) - set(PARTS))
    if unknown:
        raise typer.BadParameter(f"there is no part {unknown[0]!r}: there are {', '.join(PARTS)}", param_hint="--part")
    layout = Layout(read_options().home)
    if not layout.log.is_dir():
        raise NotFound(f"there is no log yet in {layout.log}")
    wanted = Wanted(parts=tuple(part or PARTS), level=Level[level.name], request_id=request_id)
    if since:
        wanted = Wanted(**(vars(wanted) | {"since": moment(since, now=datetime.now(UTC))}))
    log = Log(layout, wanted)
    records: Iterable[Record] = log.kept()
    if follow:
        records = chain(records if since or request_id else deque(records, _RECENT), log.coming())
    with suppress(KeyboardInterrupt, BrokenPipeError):
        for record in records:
            if raw:
                typer.echo(record.text)
            else:
                out.print(_line(record))


def _line(record: Record) -> str:
    """Time, part, what happened, and the fields that tell more."""
    fields = record.fields
    text = str(fields.get("event") or fields.get("msg") or record.text)
    shown = {name: value for name, value in fields.items() if name not in _HIDDEN}
    if record.request_id:
        shown["request_id"] = record.request_id
    more = " ".join(f"[dim]{escape(name)}=[/dim]{escape(str(value))}" for name, value in shown.items())
    colour = _COLOURS[record.level]
    said = f"[{colour}]{escape(text)}[/{colour}]" if colour else escape(text)
    time = f"{record.time.astimezone():%m-%d %H:%M:%S.%f}"
    return f"[dim]{time}[/dim] [cyan]{record.part:<9}[/cyan] {said} {more}"
