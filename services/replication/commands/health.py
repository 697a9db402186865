"""How other registries are: asked in the background, more often while one is away, and at once when a copy says so."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from services.replication.domain.registry import Health, Registry
from services.replication.queries.rows import read_registry
from services.replication.tables import policies, registries

WELL: Final = timedelta(minutes=1)
AWAY: Final = timedelta(seconds=5)
LONG_AWAY: Final = timedelta(minutes=1)
_LEASE: Final = timedelta(seconds=45)
"""Longer than any check may take."""


def take_unchecked(session: Session, *, now: datetime) -> Registry | None:
    """One registry that is to be asked now; for a while nobody else asks it."""
    row = session.execute(
        select(registries)
        .where(registries.c.due_at <= now)
        .order_by(registries.c.due_at)
        .limit(1)
        .with_for_update(skip_locked=True, key_share=True)
    ).one_or_none()
    if row is None:
        return None
    session.execute(update(registries).where(registries.c.id == row.id).values(due_at=now + _LEASE))
    return read_registry(row)


def record_check(session: Session, registry_id: int, reason: str, *, now: datetime, chance: float) -> Health | None:
    """Write down what a check found, an empty reason if all is well; returns the new state where it has changed.

    What is behind with a registry that has come back is compared at once.
    """
    columns = registries.c
    before = session.execute(
        select(columns.status, columns.failures).where(columns.id == registry_id).with_for_update(key_share=True)
    ).one_or_none()
    if before is None:
        return None
    status = Health.UNHEALTHY if reason else Health.HEALTHY
    failures = before.failures + 1 if reason else 0
    pause = min(LONG_AWAY, AWAY * (1 << min(failures, 10))) if reason else WELL
    session.execute(
        update(registries)
        .where(columns.id == registry_id)
        .values(
            status=status, reason=reason, failures=failures, checked_at=now, due_at=now + pause * (0.75 + chance / 2)
        )
    )
    if status is Health.HEALTHY and before.status != Health.HEALTHY:
        session.execute(
            update(policies)
            .where(
                or_(policies.c.source_id == registry_id, policies.c.target_id == registry_id),
                policies.c.heal_at > now,
            )
            .values(heal_at=now)
        )
    return status if status != before.status else None


def ask_soon(session: Session, registry_id: int, *, now: datetime) -> None:
    """A copy could not reach it: it is asked at once whether it is away, unless it was just now."""
    session.execute(
        update(registries)
        .where(
            registries.c.id == registry_id,
            registries.c.status != Health.UNHEALTHY,
            registries.c.due_at > now + timedelta(seconds=2),
            or_(registries.c.checked_at.is_(None), registries.c.checked_at < now - timedelta(seconds=5)),
        )
        .values(due_at=now)
    )
