"""`audit`: the record of who did what: list it, prove that nothing in it was changed, purge what is old."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from compose.cli.here import options_here
from compose.cli.session import operator_context, session_of
from compose.cli.terminal import err, out, print_table
from compose.local.layout import Layout
from compose.local.logs import Log, Wanted, moment
from services.audit.checking import WHOLE, remember
from services.audit.commands import purge
from services.audit.key import chain_key
from services.audit.queries import AuditFilter, AuditRecord, ProjectScope, list_records
from services.audit.queries.verification import count_links, heads_in_log, verify
from shared.errors import BadRequest
from shared.events.envelope import rfc3339
from shared.listing import Match, Term
from shared.postgres import connect, unavailable_when_down
from shared.settings import Settings, load_settings

app = typer.Typer(help="The record of who did what.", no_args_is_help=True)

PART = "audit"
_ALWAYS = datetime.fromtimestamp(0, UTC)
_MOST = 10_000


@app.command("verify")
def verify_record(
    context: typer.Context,
    ignore_log: Annotated[bool, typer.Option("--ignore-log", help="Do not compare with the heads in the log.")] = False,
) -> None:
    """Prove that the record is whole, or name the first link that was edited, deleted, moved or cut off."""
    settings = _settings()
    key = chain_key(settings)
    witnesses = {} if ignore_log else _witnesses(options_here(context).home)
    with (
        unavailable_when_down(),
        connect(settings, statement_timeout_ms=0) as connection,
        _bar(count_links(connection)) as shown,
    ):
        verdict = verify(connection, key, witnesses=witnesses, progress=shown)
    with session_of(settings) as session:
        remember(session, WHOLE, verdict, datetime.now(UTC))
    if verdict.broken:
        err.print(f"the audit record is broken at {verdict.broken}", style="red", markup=False)
        raise typer.Exit(1)
    purged = f", the content of {verdict.purged:,} was purged" if verdict.purged else ""
    witnessed = f", {len(witnesses):,} heads in the log agree" if witnesses else ""
    out.print(f"the audit record is whole: {verdict.links:,} links{purged}{witnessed}")


@app.command("list")
def list_record(  # noqa: PLR0917 - a verb has the options it has
    user: Annotated[str | None, typer.Option(help="Done by this account.")] = None,
    operation: Annotated[str | None, typer.Option(help="create, delete, pull, update or login.")] = None,
    resource_type: Annotated[str | None, typer.Option("--type", help="artifact, tag, project, member, user, …")] = None,
    resource: Annotated[str | None, typer.Option(help="The resource's text contains this.")] = None,
    project: Annotated[str | None, typer.Option(help="In this project.")] = None,
    since: Annotated[str | None, typer.Option(help="30s, 10m, 2h, 3d or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="30s, 10m, 2h, 3d or a time.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not succeed.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=_MOST, help="Records at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List records, the newest first."""
    now = datetime.now(UTC)
    exact = {"username": user, "operation": operation, "resource_type": resource_type}
    terms = [Term(key=key, match=Match.EXACT, values=(value,)) for key, value in exact.items() if value]
    if resource:
        terms.append(Term(key="resource", match=Match.FUZZY, values=(resource,)))
    if since or until:
        bounds = tuple(moment(each, now=now).isoformat() if each else "" for each in (since, until))
        terms.append(Term(key="op_time", match=Match.RANGE, values=bounds))
    if failed:
        terms.append(Term(key="operation_result", match=Match.EXACT, values=("false",)))
    projects = (ProjectScope(name=project, since=_ALWAYS),) if project else None
    with session_of(_settings()) as session:
        page = list_records(session, filter=AuditFilter(projects=projects, terms=tuple(terms)), limit=limit)
    if as_json:
        for record in page.records:
            out.print_json(json.dumps(_fields(record)), indent=None)
        return
    if page.records:
        print_table(_table(page.records))
    else:
        out.print("no record fits")
    if page.total > len(page.records):
        about = "" if page.exact else "about "
        out.print(f"{len(page.records)} of {about}{page.total:,} records", style="dim")


@app.command("purge")
def purge_record(
    older_than: Annotated[str, typer.Option(help="3d, 12h or a time: what is older goes.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Drop the content of old records for good. The chain stays, and the purge is itself on record."""
    settings, now = _settings(), datetime.now(UTC)
    before = moment(older_than, now=now)
    if before > now:
        raise BadRequest(f"{older_than} is in the future")
    if not yes:
        typer.confirm(f"Drop all audit records from before {rfc3339(before)}?", abort=True)
    with session_of(settings) as session:
        done = purge(
            session, older_than=before, key=chain_key(settings), now=now, context=operator_context(settings, "audit")
        )
    out.print(f"purged {done.records:,} records, up to link {done.through:,}")


def _settings() -> Settings:
    return load_settings(part=PART)


def _witnesses(home: Path) -> dict[int, str]:
    """The heads that the service logged, as far back as the log is kept."""
    layout = Layout(home)
    if not layout.log.is_dir():
        return {}
    return heads_in_log(record.text for record in Log(layout, Wanted(parts=(PART,))).kept())


@contextmanager
def _bar(links: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("verify", total=links)
        yield lambda checked: progress.update(task, completed=checked)


def _fields(record: AuditRecord) -> dict[str, object]:
    fields = {name: getattr(record, name) for name in AuditRecord.__dataclass_fields__}
    return fields | {"occurred_at": rfc3339(record.occurred_at)}


def _table(records: list[AuditRecord]) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("link", "time", "who", "did", "what", "from", "result"):
        table.add_column(title, justify="right" if title == "link" else "left", overflow="fold")
    for record in records:
        times = f" {record.occurrences} times" if record.occurrences > 1 else ""
        cells = (
            f"{record.sequence}",
            f"{record.occurred_at:%Y-%m-%d %H:%M:%S}",
            record.actor,
            record.operation,
            f"{record.resource_type.replace('_', ' ')} {record.resource}",
            record.address,
        )
        result = Text(f"ok{times}") if record.succeeded else Text(f"failed{times}", style="red")
        table.add_row(*(Text(cell) for cell in cells), result)
    return table
