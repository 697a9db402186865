"""What recurs: when it is due next is a column, so that it fires once whoever looks, and late rather than twice.

Firings that were missed, while nothing ran, become one.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.domain.schedule import Schedule, ScheduleKind
from services.api.queries.schedule import read_schedule
from services.api.tables import schedules
from shared.cron import Cron


def set_schedule(
    session: Session,
    kind: ScheduleKind,
    owner_id: int,
    cron: Cron,
    *,
    now: datetime,
    cron_type: str = "Custom",
    parameters: Mapping[str, Any] | None = None,
) -> int:
    """Make a schedule, or put another in its place; returns its number."""
    values = {
        "cron_type": cron_type,
        "cron": cron.text,
        "parameters": dict(parameters or {}),
        "next_at": cron.next_after(now),
        "updated_at": now,
    }
    schedule_id: int = session.execute(
        upsert(schedules)
        .values(kind=kind, owner_id=owner_id, created_at=now, **values)
        .on_conflict_do_update(constraint="uq_schedules", set_=values)
        .returning(schedules.c.id)
    ).scalar_one()
    return schedule_id


def drop_schedule(session: Session, kind: ScheduleKind, owner_id: int) -> None:
    """End a schedule, if there is one."""
    session.execute(delete(schedules).where(schedules.c.kind == kind, schedules.c.owner_id == owner_id))


def take_due(session: Session, kind: ScheduleKind, *, now: datetime) -> Schedule | None:
    """One schedule that is due, set to its next time in this transaction; None where none is, or another takes it."""
    row = session.execute(
        select(schedules)
        .where(schedules.c.kind == kind, schedules.c.next_at <= now)
        .order_by(schedules.c.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).one_or_none()
    if row is None:
        return None
    next_at = Cron.parse(row.cron).next_after(now)
    session.execute(update(schedules).where(schedules.c.id == row.id).values(next_at=next_at))
    return read_schedule(row)
