"""`replication`: what is copied between this registry and others, run, watched and stopped from a terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy.orm import Session, sessionmaker

from compose.cli.session import OPERATOR, operator_context
from compose.cli.terminal import out, print_table
from services.replication.commands.execution import ask_to_stop, start_execution, stop_execution
from services.replication.domain import task as domain
from services.replication.domain.execution import Execution, ExecutionState, Scope
from services.replication.domain.policy import Policy, Trigger
from services.replication.domain.registry import Registry
from services.replication.queries.execution import get_execution, last_executions, list_executions, progress_of
from services.replication.queries.policy import get_policy, list_policies, named_policy
from services.replication.queries.registry import registries_of
from services.replication.queries.task import list_tasks
from shared.db import engine, session_factory, unavailable_when_down
from shared.events.event import printable
from shared.listing import Listing
from shared.settings import Settings, load_settings

app = typer.Typer(help="What is copied between this registry and others.", no_args_is_help=True)

_SHOWN: Final = 50
_PAUSE: Final = 0.5
_LINE_EVERY: Final = 5.0
"""Seconds between two lines, where there is no terminal for bars."""

Number = Annotated[int, typer.Argument(help="The execution's number.", min=1, show_default=False)]
OfPolicy = Annotated[str, typer.Argument(help="The policy's name or number.", show_default=False)]
Executions = Annotated[
    str | None, typer.Option("--policy", help="The executions of this policy.", show_default=False)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only list what would be copied and deleted.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show how far it is until it has ended.")]

Sessions = sessionmaker[Session]


@app.command("list")
def show_list(policy: Executions = None) -> None:
    """The policies with their last executions; or the executions of one."""
    with _sessions() as sessions, sessions() as session:
        everything = Listing(page_size=_SHOWN)
        if policy is not None:
            found = list_executions(session, everything, policy_id=named_policy(session, policy).id)
            _show_executions(found.records, progress_of(session, (each.id for each in found.records)))
            return
        policies = list_policies(session, everything).records
        registries = registries_of(session, (each.registry_id for each in policies))
        _show_policies(policies, registries, last_executions(session, (each.id for each in policies)))


@app.command("show")
def show(execution: Number) -> None:
    """An execution with its tasks; of a dry run: what would be done."""
    with _sessions() as sessions:
        _show(sessions, execution)


@app.command("run")
def run(policy: OfPolicy, dry_run: DryRun = False, follow: Follow = False) -> None:
    """Carry a policy out. With --follow the exit code tells whether all went well."""
    settings = _settings()
    with _sessions() as sessions:
        with sessions.begin() as session:
            begun = start_execution(
                session,
                named_policy(session, policy).id,
                trigger=Trigger.MANUAL,
                scope=Scope.EVERYTHING,
                operator=OPERATOR.name,
                dry_run=dry_run,
                now=datetime.now(UTC),
                context=operator_context(settings, "replication run"),
            )
        out.print(f"execution {begun.id}: {_state(begun)}")
        if follow:
            _follow(sessions, begun.id)
        elif begun.state is ExecutionState.FAILED:
            raise typer.Exit(1)


@app.command("stop")
def stop(execution: Number) -> None:
    """Stop an execution: what waits is withdrawn, what runs is broken off."""
    context = operator_context(_settings(), "replication stop")
    with _sessions() as sessions:
        with sessions.begin() as session:
            ask_to_stop(session, execution)
        with sessions.begin() as session:
            stopped = stop_execution(session, execution, now=datetime.now(UTC), context=context)
        out.print(f"execution {execution}: {'stopping' if stopped.state.is_open else _state(stopped)}")


@app.command("follow")
def follow(execution: Number) -> None:
    """Show how far an execution is until it has ended; to break this off stops nothing."""
    with _sessions() as sessions:
        _follow(sessions, execution)


def _settings() -> Settings:
    return load_settings(part="owner")


@contextmanager
def _sessions() -> Iterator[Sessions]:
    """Sessions of the operator's. Raises Unavailable where the database does not answer."""
    bind = engine(_settings(), pool_size=1)
    try:
        with unavailable_when_down():
            yield session_factory(bind)
    finally:
        bind.dispose()


def _follow(sessions: Sessions, number: int) -> None:
    """Until it has ended; then what came of it. Exits with 1 where something failed or was stopped."""
    watch = _with_bars if out.is_terminal else _with_lines
    ended = watch(lambda: _look(sessions, number))
    _show(sessions, number)
    if ended.state is not ExecutionState.SUCCEEDED:
        raise typer.Exit(1)


def _look(sessions: Sessions, number: int) -> tuple[Execution, domain.Progress]:
    with sessions() as session:
        return get_execution(session, number), progress_of(session, [number])[number]


def _with_bars(look: Callable[[], tuple[Execution, domain.Progress]]) -> Execution:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[figures]}"), _Remaining())
    with Progress(*columns, console=out, transient=True) as bars:
        rows = [bars.add_task(each, total=None, figures="") for each in ("artifacts", "blobs", "bytes")]
        while True:
            execution, progress = look()
            ended = execution.total - execution.in_progress
            speed = next(task.speed for task in bars.tasks if task.id == rows[2])
            rate = f", {decimal(int(speed))}/s" if speed else ""
            figures = (
                (ended, execution.total, f"{ended}/{execution.total}"),
                (progress.blobs_done, progress.blobs_total, f"{progress.blobs_done}/{progress.blobs_total}"),
                (progress.bytes_done, progress.bytes_total, f"{_bytes(progress)}{rate}"),
            )
            for row, (done, total, text) in zip(rows, figures, strict=True):
                bars.update(row, completed=done, total=total or None, figures=text)
            if not execution.state.is_open:
                return execution
            time.sleep(_PAUSE)


def _with_lines(look: Callable[[], tuple[Execution, domain.Progress]]) -> Execution:
    told = 0.0
    while True:
        execution, progress = look()
        if not execution.state.is_open:
            return execution
        if time.monotonic() - told >= _LINE_EVERY:
            told = time.monotonic()
            ended = execution.total - execution.in_progress
            out.print(f"{ended}/{execution.total} artifacts, {_bytes(progress)}")
        time.sleep(_PAUSE)


class _Remaining(TimeRemainingColumn):
    """When the bytes will be there; that of artifacts and blobs says little, as they are of all sizes."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.description == "bytes" else Text("")


def _show_policies(policies: list[Policy], registries: dict[int, Registry], last: dict[int, Execution]) -> None:
    if not policies:
        out.print("there are no replication policies")
        return
    table = _table("id", "policy", "registry", "trigger", "last execution", "begun", "state")
    for each in policies:
        registry, execution = registries.get(each.registry_id), last.get(each.id)
        way = "to" if each.pushes else "from"
        table.add_row(
            str(each.id),
            _foreign(each.name),
            _foreign(f"{way} {registry.name if registry else each.registry_id}"),
            (each.cron or each.trigger.value) if each.enabled else "disabled",
            str(execution.id) if execution else "never",
            _when(execution.created_at) if execution else "",
            _state(execution) if execution else "",
        )
    print_table(table)


def _show_executions(executions: list[Execution], progress: dict[int, domain.Progress]) -> None:
    if not executions:
        out.print("the policy was never carried out")
        return
    table = _table("id", "begun", "by", "state", "artifacts", "failed", "bytes", "sent")
    for each in executions:
        figures = progress[each.id]
        table.add_row(
            str(each.id),
            _when(each.created_at),
            _foreign(f"{each.operator}, {each.trigger.value}"),
            _state(each),
            f"{each.total - each.in_progress}/{each.total}",
            str(each.failed or ""),
            _bytes(figures),
            decimal(figures.bytes_sent),
        )
    print_table(table)


def _show(sessions: Sessions, number: int) -> None:
    with sessions() as session:
        execution = get_execution(session, number)
        policy, progress = get_policy(session, execution.policy_id), progress_of(session, [number])[number]
        page = list_tasks(session, number, Listing(page_size=_SHOWN))
    out.print(_foreign(f"execution {number} of {policy.name}, by {execution.operator}: {_state(execution)}"))
    if execution.message:
        out.print(_foreign(execution.message))
    out.print(
        f"artifacts: {execution.total}, succeeded {execution.succeeded}, failed {execution.failed}, stopped"
        f" {execution.stopped}; blobs: {progress.blobs_done}/{progress.blobs_total}; bytes: {_bytes(progress)},"
        f" sent {decimal(progress.bytes_sent)}"
    )
    if not page.records:
        return
    table = _table("task", "what", "to", "state", "bytes", "reason")
    for each in page.records:
        what = f"{each.source}:{','.join(each.tags or (each.digest or '',))}"
        table.add_row(
            str(each.id),
            _foreign(what if each.operation is domain.Operation.COPY else f"delete {what}"),
            _foreign(each.target),
            each.state.value,
            decimal(each.progress.bytes_total),
            _foreign(each.message),
        )
    print_table(table)
    if page.total > _SHOWN:
        out.print(f"and {page.total - _SHOWN} more", style="dim")


def _state(execution: Execution) -> str:
    dry = "dry run, " if execution.dry_run else ""
    return f"{dry}{'stopping' if execution.stopping and execution.state.is_open else execution.state.value}"


def _bytes(progress: domain.Progress) -> str:
    return f"{decimal(progress.bytes_done)} of {decimal(progress.bytes_total)}"


def _when(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _foreign(text: str) -> Text:
    """What others wrote, harmless on a terminal."""
    return Text(printable(text))
