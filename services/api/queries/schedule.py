"""Reading schedules."""

from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.api.domain.schedule import Schedule, ScheduleKind
from services.api.tables import schedules
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(schedules.c.id, Kind.INTEGER),
    "cron": Field(schedules.c.cron),
    "update_time": Field(schedules.c.updated_at, Kind.TIME),
}


def list_schedules(session: Session, listing: Listing) -> Page[Schedule]:
    """All schedules, in the order in which they were made."""
    statement = (
        select(schedules)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (schedules.c.id.asc(),)))
    )
    return fetch(session, statement, listing, read_schedule)


def find_schedule(session: Session, kind: ScheduleKind, owner_id: int = 0) -> Schedule | None:
    """The schedule of a policy, or the only one of its kind."""
    row = session.execute(
        select(schedules).where(schedules.c.kind == kind, schedules.c.owner_id == owner_id)
    ).one_or_none()
    return read_schedule(row) if row else None


def read_schedule(row: Row[Any]) -> Schedule:
    """A row of the table as a record."""
    return Schedule(
        id=row.id,
        kind=ScheduleKind(row.kind),
        owner_id=row.owner_id,
        cron_type=row.cron_type,
        cron=row.cron,
        parameters=row.parameters,
        next_at=row.next_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
