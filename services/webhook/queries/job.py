"""Deliveries as jobs: what is in hand, what waits, and a delivery's log."""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, and_, bindparam, func, select
from sqlalchemy.orm import Session

from services.webhook.domain.delivery import State
from services.webhook.domain.policy import TargetKind
from services.webhook.errors import NoSuchDelivery
from services.webhook.queries.delivery import attempt_text
from services.webhook.tables import attempts, deliveries, targets
from shared.jobs import Job, JobId, JobType, Queue

MOST_ATTEMPTS: Final = 50
"""That a log tells of, the last ones: a delivery can be asked for again and again."""
KINDS: Final = {JobType.WEBHOOK: TargetKind.HTTP, JobType.SLACK: TargetKind.SLACK}

_TYPES: Final = {kind: type_ for type_, kind in KINDS.items()}

_NOW: Final = bindparam("now", type_=DateTime(timezone=True))
# made once: to make them costs more than to ask them
_IN_HAND: Final = (
    select(targets.c.kind, targets.c.pool_id, targets.c.served_at, deliveries.c.id, deliveries.c.attempts)
    .join(deliveries, deliveries.c.id == targets.c.delivery_id)
    .where(targets.c.leased_until > _NOW, targets.c.pool_id.in_(bindparam("pools", expanding=True)))
    .order_by(targets.c.served_at, deliveries.c.id)
)
_WAITING: Final = (
    select(targets.c.kind, func.count().label("number"), func.min(deliveries.c.due_at).label("oldest_at"))
    .join(targets, targets.c.id == deliveries.c.target_id)
    .where(
        deliveries.c.state == State.PENDING,
        deliveries.c.due_at <= _NOW,
        ~func.coalesce(and_(targets.c.delivery_id == deliveries.c.id, targets.c.leased_until > _NOW), False),
    )
    .group_by(targets.c.kind)
)


def jobs_in_hand(session: Session, pool_ids: Collection[UUID], *, now: datetime) -> list[Job]:
    """The deliveries that these pools are sending."""
    rows = session.execute(_IN_HAND, {"now": now, "pools": list(pool_ids)})
    return [
        Job(
            id=JobId(type=_TYPES[TargetKind(row.kind)], number=row.id),
            pool_id=row.pool_id,
            started_at=row.served_at,
            told=f"attempt {row.attempts}",
            told_at=row.served_at,
        )
        for row in rows
    ]


def queues(session: Session, *, now: datetime) -> list[Queue]:
    """How many deliveries are due and in nobody's hands; those that wait for another attempt become due later."""
    waiting = {row.kind: row for row in session.execute(_WAITING, {"now": now})}
    return [
        Queue(type=type_, count=waiting[kind].number, oldest_at=waiting[kind].oldest_at)
        if kind in waiting
        else Queue(type=type_, count=0, oldest_at=None)
        for type_, kind in KINDS.items()
    ]


def job_log(session: Session, job: JobId) -> str:
    """What was sent and what came back at each attempt, the first before. Raises NoSuchDelivery."""
    body = session.scalar(
        select(deliveries.c.body)
        .join(targets, targets.c.id == deliveries.c.target_id)
        .where(deliveries.c.id == job.number, targets.c.kind == KINDS[job.type])
    )
    if body is None:
        raise NoSuchDelivery
    last = session.execute(
        select(attempts)
        .where(attempts.c.delivery_id == job.number)
        .order_by(attempts.c.id.desc())
        .limit(MOST_ATTEMPTS)
    ).all()
    return "\n".join(attempt_text(row, body) for row in reversed(last))
