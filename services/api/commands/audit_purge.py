"""Asking for purges of the audit record: a row is a wish, which the audit service, and nobody else, carries out."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from services.api.commands.schedule import take_due
from services.api.domain.audit_purge import PurgeWish, parse_wish
from services.api.domain.retention import Status, Trigger
from services.api.domain.schedule import ScheduleKind
from services.api.errors import NoSuchPurge
from services.api.tables import audit_purges
from shared.auth.principals import SYSTEM_PREFIX
from shared.events import Actor, ActorKind

KEPT: Final = 100
"""How many purges are remembered."""


def request_purge(
    session: Session, wish: PurgeWish, *, trigger: Trigger, actor: Actor, request_id: str, now: datetime
) -> int:
    """Ask for a purge; returns its number."""
    purge_id: int = session.execute(
        insert(audit_purges)
        .values(
            trigger=trigger,
            hours=wish.hours,
            kinds=list(wish.kinds),
            dry_run=wish.dry_run,
            parameters=dict(wish.parameters),
            actor=actor.name,
            actor_kind=actor.kind,
            request_id=request_id,
            created_at=now,
            updated_at=now,
        )
        .returning(audit_purges.c.id)
    ).scalar_one()
    oldest = select(audit_purges.c.id).order_by(audit_purges.c.id.desc()).offset(KEPT).limit(1).scalar_subquery()
    session.execute(delete(audit_purges).where(audit_purges.c.finished_at.is_not(None), audit_purges.c.id <= oldest))
    return purge_id


def request_due(session: Session, *, now: datetime) -> bool:
    """Ask for the purge that the schedule says; whether one was due. While the one before waits, none is added."""
    due = take_due(session, ScheduleKind.AUDIT_PURGE, now=now)
    if due is None:
        return False
    waiting = select(audit_purges.c.id).where(
        audit_purges.c.finished_at.is_(None), audit_purges.c.trigger == Trigger.SCHEDULE
    )
    if session.scalar(waiting.limit(1)) is None:
        actor = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}metadata")
        wish = parse_wish(due.parameters)
        request_purge(session, wish, trigger=Trigger.SCHEDULE, actor=actor, request_id="", now=now)
    return True


def stop_purge(session: Session, purge_id: int, *, now: datetime) -> None:
    """Withdraw a purge that nobody has begun; one that runs is one transaction, and goes on to its end.

    Raises NoSuchPurge.
    """
    session.execute(
        update(audit_purges)
        .where(
            audit_purges.c.id.in_(
                select(audit_purges.c.id)
                .where(audit_purges.c.id == purge_id, audit_purges.c.status == Status.PENDING)
                .with_for_update(skip_locked=True)
            )
        )
        .values(status=Status.STOPPED, log="Purge job is stopped\n", updated_at=now, finished_at=now)
    )
    if session.scalar(select(audit_purges.c.id).where(audit_purges.c.id == purge_id)) is None:
        raise NoSuchPurge
