"""A run of everything begins with a list of what there is to do, written down in batches.

One worker prepares it and says so; where that one is lost, another begins anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from services.replication.commands.changes import task_row
from services.replication.commands.settling import catch_up, close, fall_behind
from services.replication.commands.waking import wake_workers
from services.replication.domain.execution import Execution, ExecutionState
from services.replication.domain.mapping import target_of
from services.replication.domain.policy import FilterKind, Policy
from services.replication.domain.task import MOST_ATTEMPTS, Operation, pause_before
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.queries import content
from services.replication.queries.rows import read_execution
from services.replication.tables import copies, executions, tasks
from shared.events import EventContext
from shared.selector import alternatives_of, literal_prefix_of

NOTHING: Final = "no resources need to be replicated"
_BATCH: Final = 500

_CLAIM: Final = text(
    """
    UPDATE replication.executions SET worker = :worker, attempts = attempts + 1
    WHERE id = (
        SELECT e.id FROM replication.executions e
        WHERE e.state = 'preparing' AND e.due_at <= :now AND (e.worker IS NULL OR NOT EXISTS (
            SELECT FROM replication.pools p WHERE p.id = e.worker AND p.heartbeat_at > now() - CAST(:lost AS interval)
        ))
        ORDER BY e.due_at, e.id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING *
    """
)


class _Lost(Exception):
    """The run was stopped, or another worker prepares it now."""


def claim_preparation(session: Session, worker: UUID, *, lost: timedelta, now: datetime) -> Execution | None:
    """A run that nobody prepares yet, ours from now on; what an earlier worker had written down of it is dropped."""
    values = {"worker": worker, "now": now, "lost": f"{lost.total_seconds()} seconds"}
    row = session.execute(_CLAIM, values).one_or_none()
    if row is None:
        return None
    session.execute(delete(tasks).where(tasks.c.execution_id == row.id))
    session.execute(
        update(executions)
        .where(executions.c.id == row.id)
        .values(total=0, in_progress=0, succeeded=0, failed=0, stopped=0)
    )
    return read_execution(row)


def prepare(
    sessions: sessionmaker[Session],
    execution: Execution,
    policy: Policy,
    source: Catalogue | None,
    worker: UUID,
    *,
    now: datetime,
    context: EventContext,
) -> ExecutionState | None:
    """Write down the tasks of a run, and let it begin; None where it is not ours any more.

    `source` is the registry that is copied from, None for this one. Raises AttemptFailed, UnfitPolicy.
    """
    total = 0
    try:
        with sessions() as reading:
            listed = content.artifacts(reading) if source is None else _remote(policy, source)
            seen: set[tuple[str, str]] = set()
            for batch in _batches(_rows(policy, listed, seen, now)):
                total += _add(sessions, execution, worker, batch)
        if policy.deletion and not execution.dry_run:
            with sessions() as session:
                gone = content.lost_copies(session, policy.id) if source is None else _gone(session, policy.id, seen)
            for batch in _batches(_deletions(policy, gone, now)):
                total += _add(sessions, execution, worker, batch)
        return _open(sessions, execution, worker, total, now, context)
    except _Lost:
        with sessions.begin() as session:
            _end_stopped(session, execution.id, worker, now, context)
        return None


def put_off(
    session: Session,
    execution: Execution,
    worker: UUID,
    error: AttemptFailed,
    *,
    now: datetime,
    chance: float,
    context: EventContext,
) -> bool:
    """It could not be prepared: tried again later, or given up for now; whether it is tried again."""
    row = session.execute(
        select(executions.c.attempts, executions.c.stopping)
        .where(executions.c.id == execution.id, executions.c.worker == worker)
        .with_for_update()
    ).one_or_none()
    if row is None:
        return False
    if error.fault.passes and row.attempts < MOST_ATTEMPTS and not row.stopping:
        due_at = now + pause_before(row.attempts + 1, chance=chance, asked=error.after)
        session.execute(
            update(executions)
            .where(executions.c.id == execution.id)
            .values(worker=None, due_at=due_at, message=error.sentence)
        )
        return True
    _end(session, execution.id, ExecutionState.FAILED, error.sentence, now, context)
    if error.fault.passes:
        fall_behind(session, execution.policy_id, now)
    return False


def _end(
    session: Session, execution_id: int, state: ExecutionState, message: str, now: datetime, context: EventContext
) -> None:
    """End a run that never began: it has no tasks. Its row is locked."""
    session.execute(delete(tasks).where(tasks.c.execution_id == execution_id))
    nothing = dict.fromkeys(("total", "in_progress", "succeeded", "failed", "stopped"), 0)
    close(session, execution_id, state, now=now, context=context, message=message, **nothing)


def _end_stopped(
    session: Session, execution_id: int, worker: UUID, now: datetime, context: EventContext
) -> None:
    """A run that was stopped while we prepared it ends here: whoever stopped it has left that to us."""
    row = session.execute(
        select(executions.c.message)
        .where(
            executions.c.id == execution_id,
            executions.c.worker == worker,
            executions.c.state == ExecutionState.PREPARING,
            executions.c.stopping,
        )
        .with_for_update()
    ).one_or_none()
    if row is not None:
        _end(session, execution_id, ExecutionState.STOPPED, row.message, now, context)


def _rows(
    policy: Policy, listed: Iterable[Found], seen: set[tuple[str, str]], now: datetime
) -> Iterator[dict[str, Any]]:
    """The tasks for what the policy means of a list; `seen` is told of every tag that is there."""
    for found in listed:
        if not policy.takes_repository(found.repository):
            continue
        seen.update((found.repository, tag) for tag in found.tags)
        if not policy.takes(found.kind, found.labels):
            continue
        wanted = tuple(tag for tag in found.tags if ":" in tag or policy.takes_tag(tag))
        if wanted:
            target = target_of(found.repository, policy.namespace, policy.replace_count)
            yield task_row(
                policy, found.repository, target, wanted, now=now, kind=found.kind, digest=found.digest
            )


def _remote(policy: Policy, source: Catalogue) -> Iterator[Found]:
    """What another registry holds: asked by name where the policy names all, else by what it can list."""
    names = [each.values[0] for each in policy.filters if each.kind is FilterKind.NAME and each.values]
    exact = next((found for pattern in names if (found := alternatives_of(pattern)) is not None), None)
    prefix = max((literal_prefix_of(pattern) for pattern in names), key=len, default="")
    for repository in exact if exact is not None else source.repositories(prefix):
        if policy.takes_repository(repository):
            yield from source.artifacts(repository)


def _gone(session: Session, policy_id: int, seen: set[tuple[str, str]]) -> list[Any]:
    """What the policy has copied and the list does not hold any more."""
    rows = session.execute(select(copies).where(copies.c.policy_id == policy_id)).all()
    return [row for row in rows if ":" not in row.reference and (row.source, row.reference) not in seen]


def _deletions(policy: Policy, gone: Iterable[Any], now: datetime) -> Iterator[dict[str, Any]]:
    for row in gone:
        yield task_row(
            policy, row.source, row.target, (row.reference,), now=now, operation=Operation.DELETION, digest=row.digest
        )


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, _BATCH)):
        yield batch


def _add(sessions: sessionmaker[Session], execution: Execution, worker: UUID, rows: Sequence[dict[str, Any]]) -> int:
    ours = {"execution_id": execution.id, "traceparent": execution.traceparent}
    with sessions.begin() as session:
        _lock(session, execution.id, worker)
        session.execute(insert(tasks), [row | ours for row in rows])
        session.execute(
            update(executions)
            .where(executions.c.id == execution.id)
            .values(total=executions.c.total + len(rows), in_progress=executions.c.in_progress + len(rows))
        )
    return len(rows)


def _open(
    sessions: sessionmaker[Session],
    execution: Execution,
    worker: UUID,
    total: int,
    now: datetime,
    context: EventContext,
) -> ExecutionState:
    with sessions.begin() as session:
        _lock(session, execution.id, worker)
        if not total:
            close(session, execution.id, ExecutionState.SUCCEEDED, now=now, context=context, message=NOTHING)
            catch_up(session, execution.policy_id)
            return ExecutionState.SUCCEEDED
        begun = {"state": ExecutionState.RUNNING, "worker": None, "message": ""}
        session.execute(update(executions).where(executions.c.id == execution.id).values(**begun))
        wake_workers(session)
    return ExecutionState.RUNNING


def _lock(session: Session, execution_id: int, worker: UUID) -> None:
    """Raises _Lost."""
    row = session.execute(
        select(executions.c.stopping)
        .where(
            executions.c.id == execution_id,
            executions.c.worker == worker,
            executions.c.state == ExecutionState.PREPARING,
        )
        .with_for_update()
    ).one_or_none()
    if row is None or row.stopping:
        raise _Lost
