"""What begins by itself: schedules whose hour has come, and comparisons that heal what a policy is behind with."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from services.replication.commands.settling import pause_of
from services.replication.domain.execution import ExecutionState, Scope
from services.replication.domain.policy import Trigger
from services.replication.domain.registry import Health
from services.replication.tables import executions, policies, registries
from shared.cron import Cron

Start = Callable[[Session, int, Trigger, Scope], object]
"""Begins a run of a policy, in the same transaction."""

NEXT_HEAL: Final = timedelta(minutes=5)
"""Between two comparisons at least, the second of which begins because the first did not help."""
_OPEN: Final = (ExecutionState.PREPARING, ExecutionState.RUNNING)


def start_scheduled(session: Session, start: Start, *, now: datetime) -> int | None:
    """Begin one policy that is due, and set its next time; firings that were missed become one.

    While an earlier run of everything is under way, this firing is passed over: the runs would pile up.
    """
    row = session.execute(
        select(policies)
        .where(policies.c.enabled, policies.c.trigger == Trigger.SCHEDULED, policies.c.next_at <= now)
        .order_by(policies.c.next_at)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    ).one_or_none()
    if row is None:
        return None
    session.execute(
        update(policies).where(policies.c.id == row.id).values(next_at=Cron.parse(row.cron).next_after(now))
    )
    if not _is_under_way(session, row.id):
        start(session, row.id, Trigger.SCHEDULED, Scope.EVERYTHING)
    policy_id: int = row.id
    return policy_id


def start_healing(session: Session, start: Start, *, now: datetime) -> int | None:
    """Begin a comparison of one policy that is behind, once the other side is not known to be away."""
    row = session.execute(
        select(policies.c.id, policies.c.trigger, policies.c.heals)
        .join(registries, registries.c.id == func.coalesce(policies.c.target_id, policies.c.source_id))
        .where(
            policies.c.enabled,
            policies.c.trigger != Trigger.MANUAL,
            policies.c.heal_at <= now,
            registries.c.status != Health.UNHEALTHY,
            ~exists().where(
                executions.c.policy_id == policies.c.id,
                executions.c.state.in_(_OPEN),
                executions.c.scope == Scope.EVERYTHING,
            ),
        )
        .order_by(policies.c.heal_at)
        .limit(1)
        .with_for_update(of=policies, skip_locked=True, key_share=True)
    ).one_or_none()
    if row is None:
        return None
    session.execute(
        update(policies)
        .where(policies.c.id == row.id)
        .values(heals=row.heals + 1, heal_at=now + max(NEXT_HEAL, pause_of(row.heals)))
    )
    start(session, row.id, Trigger(row.trigger), Scope.EVERYTHING)
    policy_id: int = row.id
    return policy_id


def _is_under_way(session: Session, policy_id: int) -> bool:
    open_ones = select(executions.c.id).where(
        executions.c.policy_id == policy_id,
        executions.c.state.in_(_OPEN),
        executions.c.scope == Scope.EVERYTHING,
    )
    return session.scalar(open_ones.limit(1)) is not None
