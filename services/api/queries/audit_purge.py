"""Reading the purges of the audit record that were asked for."""

from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from services.api.domain.audit_purge import AuditPurge
from services.api.domain.retention import Status, Trigger
from services.api.errors import NoSuchPurge
from services.api.tables import audit_purges
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(audit_purges.c.id, Kind.INTEGER),
    "job_status": Field(audit_purges.c.status),
    "creation_time": Field(audit_purges.c.created_at, Kind.TIME),
    "update_time": Field(audit_purges.c.updated_at, Kind.TIME),
}


def list_purges(session: Session, listing: Listing) -> Page[AuditPurge]:
    """The purges, the newest first."""
    statement = (
        select(audit_purges)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (audit_purges.c.id.desc(),)))
    )
    return fetch(session, statement, listing, _read)


def get_purge(session: Session, purge_id: int) -> AuditPurge:
    """One purge. Raises NoSuchPurge."""
    row = session.execute(select(audit_purges).where(audit_purges.c.id == purge_id)).one_or_none()
    if row is None:
        raise NoSuchPurge
    return _read(row)


def _read(row: Row[Any]) -> AuditPurge:
    return AuditPurge(
        id=row.id,
        trigger=Trigger(row.trigger),
        parameters=row.parameters,
        status=Status(row.status),
        log=row.log,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
