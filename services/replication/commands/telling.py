"""The events of executions and their tasks, in the transaction that makes them true.

What is stopped before it began is told by its execution's end alone: a stop is not a hundred thousand events.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.replication.domain.execution import Execution
from services.replication.queries.execution import progress_of
from services.replication.tables import executions, policies, registries, tasks
from shared.events import EventContext, emit, emit_all
from shared.events.definitions.replication import (
    ReplicationFinished,
    ReplicationProgressed,
    ReplicationStarted,
    ReplicationTaskFinished,
)
from shared.events.envelope import rfc3339

_ENDED: Final = (
    select(
        tasks,
        executions.c.trigger,
        executions.c.operator,
        executions.c.created_at.label("began"),
        policies.c.name.label("policy"),
        policies.c.override,
        policies.c.creator,
        policies.c.target_id.is_not(None).label("pushed"),
        registries.c.name.label("registry"),
        registries.c.kind.label("registry_kind"),
        registries.c.url,
    )
    .join(executions, executions.c.id == tasks.c.execution_id)
    .join(policies, policies.c.id == tasks.c.policy_id)
    .join(registries, registries.c.id == tasks.c.registry_id)
    .where(executions.c.dry_run.is_(False))
)


def tell_started(session: Session, execution: Execution, *, context: EventContext) -> None:
    """An execution has begun."""
    event = ReplicationStarted(
        **_execution(session, execution),
        trigger=execution.trigger,
        operator=execution.operator,
        dry_run=execution.dry_run,
    )
    emit(session, event, context=context)


def tell_progressed(
    session: Session, execution: Execution, *, bytes_per_second: int, eta_seconds: int | None, context: EventContext
) -> None:
    """An execution goes on."""
    event = ReplicationProgressed(
        **_counters(session, execution), bytes_per_second=bytes_per_second, eta_seconds=eta_seconds
    )
    emit(session, event, context=context)


def tell_finished(session: Session, execution: Execution, *, context: EventContext) -> None:
    """An execution has ended."""
    event = ReplicationFinished(
        **_counters(session, execution),
        trigger=execution.trigger,
        operator=execution.operator,
        dry_run=execution.dry_run,
        state=execution.state,
        message=execution.message,
    )
    emit(session, event, context=context)


def tell_tasks_finished(session: Session, task_ids: Sequence[int], *, context: EventContext) -> None:
    """Tasks have ended; of a policy or registry that is gone meanwhile nothing is told."""
    if task_ids:
        ended = session.execute(_ENDED.where(tasks.c.id.in_(task_ids)).order_by(tasks.c.id))
        emit_all(session, [_task_finished(row) for row in ended], context=context)


def _task_finished(row: Row[Any]) -> ReplicationTaskFinished:
    here = row.source if row.pushed else row.target
    return ReplicationTaskFinished(
        task_id=row.id,
        execution_id=row.execution_id,
        policy_id=row.policy_id,
        policy=row.policy,
        trigger=row.trigger,
        operator=row.operator,
        project=here.partition("/")[0],
        operation=row.operation,
        kind=row.kind,
        source=row.source,
        target=row.target,
        tags=tuple(row.tags) or ((row.digest,) if row.digest else ()),
        state=row.state,
        fault=row.fault,
        message=row.message,
        bytes_sent=row.bytes_sent,
        pushed=row.pushed,
        registry_id=row.registry_id,
        registry=row.registry,
        registry_kind=row.registry_kind,
        registry_url=row.url,
        override=row.override,
        creator=row.creator,
        began=rfc3339(row.began),
    )


def _execution(session: Session, execution: Execution) -> dict[str, Any]:
    policy = session.scalar(select(policies.c.name).where(policies.c.id == execution.policy_id))
    return {"execution_id": execution.id, "policy_id": execution.policy_id, "policy": policy or ""}


def _counters(session: Session, execution: Execution) -> dict[str, Any]:
    progress = progress_of(session, [execution.id])[execution.id]
    return _execution(session, execution) | {
        "total": execution.total,
        "in_progress": execution.in_progress,
        "succeeded": execution.succeeded,
        "failed": execution.failed,
        "stopped": execution.stopped,
        "blobs_total": progress.blobs_total,
        "blobs_done": progress.blobs_done,
        "bytes_total": progress.bytes_total,
        "bytes_done": progress.bytes_done,
        "bytes_sent": progress.bytes_sent,
    }
