"""Executions begun and stopped. Their counters are true at every commit: the execution's row is locked before tasks."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from services.replication.commands import tallying
from services.replication.commands.policy import has_open_execution
from services.replication.commands.telling import tell_finished, tell_started
from services.replication.commands.waking import wake
from services.replication.domain.execution import Execution, ExecutionState, Scope, outcome_of
from services.replication.domain.policy import Trigger
from services.replication.domain.tally import Figure, Tally
from services.replication.domain.task import TaskState
from services.replication.errors import NoSuchExecution, NoSuchPolicy, PolicyDisabled
from services.replication.queries.rows import read_execution
from services.replication.tables import executions, policies, tasks
from shared.events import EventContext
from shared.tracing.context import well_formed

SKIPPED: Final = "Execution skipped: active replication still in progress."


def start_execution(
    session: Session,
    policy_id: int,
    *,
    trigger: Trigger,
    scope: Scope,
    operator: str,
    dry_run: bool,
    now: datetime,
    context: EventContext,
) -> Execution:
    """Begin to carry a policy out; the engine lists what there is to do.

    Where the policy allows one at a time and one is under way, the new one is recorded as failed. A dry run copies
    nothing: it is neither waited for, nor does it wait. Raises NoSuchPolicy, PolicyDisabled.
    """
    held = select(policies.c.enabled, policies.c.single_active).where(policies.c.id == policy_id)
    policy = session.execute(held.with_for_update(key_share=True)).one_or_none()
    if policy is None:
        raise NoSuchPolicy
    if not policy.enabled:
        raise PolicyDisabled
    skipped = policy.single_active and not dry_run and has_open_execution(session, policy_id, dry_too=False)
    row = session.execute(
        insert(executions)
        .values(
            policy_id=policy_id,
            trigger=trigger,
            scope=scope,
            dry_run=dry_run,
            operator=operator,
            state=ExecutionState.FAILED if skipped else ExecutionState.PREPARING,
            message=SKIPPED if skipped else "",
            due_at=now,
            created_at=now,
            ended_at=now if skipped else None,
            traceparent=well_formed(context.traceparent),
        )
        .returning(executions)
    ).one()
    execution = read_execution(row)
    if skipped:
        tell_finished(session, execution, context=context)
    else:
        tell_started(session, execution, context=context)
        wake(session)
    return execution


def ask_to_stop(session: Session, execution_id: int) -> None:
    """Let the engine break off what runs, before `stop_execution` withdraws what waits, which may be very much.

    The caller commits in between; where that is all that is done, the engine does the rest.
    """
    session.execute(
        update(executions)
        .where(executions.c.id == execution_id, executions.c.ended_at.is_(None))
        .values(stopping=True)
    )
    wake(session)


def stop_execution(session: Session, execution_id: int, *, now: datetime, context: EventContext) -> Execution:
    """Stop an execution: no task begins any more, and the engine breaks off what runs. One that has ended stays.

    Where nothing runs it ends at once. Raises NoSuchExecution.
    """
    held = select(executions).where(executions.c.id == execution_id).with_for_update()
    row = session.execute(held).one_or_none()
    if row is None:
        raise NoSuchExecution
    execution = read_execution(row)
    if not execution.state.is_open:
        return execution
    withdrawn = _withdraw(session, execution_id, now)
    left, stopped = execution.in_progress - withdrawn, execution.stopped + withdrawn
    values: dict[str, Any] = {
        "stopping": True,
        "in_progress": left,
        "stopped": stopped,
        "message": execution.message or f"stopped by {context.actor.name}",
    }
    is_being_prepared = execution.state is ExecutionState.PREPARING and row.worker is not None
    if not left and not is_being_prepared:
        state = outcome_of(failed=execution.failed, stopped=max(stopped, 1))
        values |= {"state": state, "ended_at": now, "worker": None}
    changed = update(executions).where(executions.c.id == execution_id).values(**values).returning(executions)
    execution = read_execution(session.execute(changed).one())
    if not execution.dry_run:
        tallying.add(session, Tally({(execution.policy_id, Figure.TASKS, TaskState.STOPPED): withdrawn}))
    if not execution.state.is_open:
        tell_finished(session, execution, context=context)
    wake(session)
    return execution


def _withdraw(session: Session, execution_id: int, now: datetime) -> int:
    """Stop all tasks that wait; returns how many. One that is being taken at this moment runs, and is left alone."""
    waiting = (
        select(tasks.c.id)
        .where(tasks.c.execution_id == execution_id, tasks.c.state == TaskState.PENDING)
        .order_by(tasks.c.id)  # whoever takes several does so in this order too: nobody waits in a circle
        .with_for_update()
        .cte()
    )
    ended = (
        update(tasks)
        .where(tasks.c.id == waiting.c.id)
        .values(state=TaskState.STOPPED, message="stopped", ended_at=now)
        .returning(tasks.c.id)
        .cte()
    )
    return session.scalar(select(func.count()).select_from(ended)) or 0
