"""Parked notifications: what the registry sent and the intake could never accept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.webhook.errors import UnknownParked
from services.webhook.tables import parked
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "reason": Field(parked.c.reason),
    "address": Field(parked.c.address),
    "received_time": Field(parked.c.received_at, Kind.TIME),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ParkedEntry:
    """A notification that was set aside, and why; without its body, which may be long."""

    id: UUID
    received_at: datetime
    reason: str
    address: str
    size: int
    """Bytes of the body, as much of it as is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked(ParkedEntry):
    """The same with its body."""

    body: bytes


_ENTRY: Final = (
    parked.c.id,
    parked.c.received_at,
    parked.c.reason,
    parked.c.address,
    func.octet_length(parked.c.body).label("size"),
)


def list_parked(session: Session, listing: Listing) -> Page[ParkedEntry]:
    """A page of them, the newest first unless asked otherwise."""
    statement = (
        select(*_ENTRY)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (parked.c.received_at.desc(), parked.c.id.asc())))
    )
    return fetch(session, statement, listing, lambda row: ParkedEntry(**row._mapping))  # noqa: SLF001 - SQLAlchemy's public name for it


def count_parked(session: Session) -> int:
    """How many there are."""
    return session.scalars(select(func.count()).select_from(parked)).one()


def get_parked(session: Session, parked_id: UUID) -> Parked:
    """One of them. Raises UnknownParked."""
    row = session.execute(select(*_ENTRY, parked.c.body).where(parked.c.id == parked_id)).mappings().one_or_none()
    if row is None:
        raise UnknownParked(f"no parked notification has the id {parked_id}")
    return Parked(**row)
