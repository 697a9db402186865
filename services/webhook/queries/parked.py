"""Parked notifications: what the registry sent and the intake could never accept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.webhook.errors import UnknownParked
from services.webhook.tables import parked

MOST_LISTED: Final = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked:
    """A notification that was set aside, and why."""

    id: UUID
    received_at: datetime
    reason: str
    body: bytes
    address: str


def list_parked(session: Session, *, limit: int = MOST_LISTED) -> list[Parked]:
    """The newest first."""
    query = select(parked).order_by(parked.c.received_at.desc(), parked.c.id).limit(limit)
    return [Parked(**row) for row in session.execute(query).mappings()]


def get_parked(session: Session, parked_id: UUID) -> Parked:
    """One of them. Raises UnknownParked."""
    row = session.execute(select(parked).where(parked.c.id == parked_id)).mappings().one_or_none()
    if row is None:
        raise UnknownParked(f"no parked notification has the id {parked_id}")
    return Parked(**row)
