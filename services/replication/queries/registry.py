"""Reading other registries; their secrets stay sealed."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.replication.domain.registry import Registry
from services.replication.errors import NoSuchRegistry
from services.replication.queries.rows import read_registry
from services.replication.tables import registries
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(registries.c.id, Kind.INTEGER),
    "name": Field(registries.c.name),
    "description": Field(registries.c.description),
    "type": Field(registries.c.kind),
    "url": Field(registries.c.url),
    "insecure": Field(registries.c.insecure, Kind.BOOLEAN),
    "status": Field(registries.c.status),
    "creation_time": Field(registries.c.created_at, Kind.TIME),
    "update_time": Field(registries.c.updated_at, Kind.TIME),
}


def get_registry(session: Session, registry_id: int, *, lock: bool = False) -> Registry:
    """A registry; locked, nobody else changes it or makes a policy about it for now. Raises NoSuchRegistry."""
    statement = select(registries).where(registries.c.id == registry_id)
    row = session.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        raise NoSuchRegistry
    return read_registry(row)


def list_registries(session: Session, listing: Listing, *, name: str = "") -> Page[Registry]:
    """All registries with a part of a name, the newest first unless asked otherwise."""
    statement = (
        select(registries)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (registries.c.created_at.desc(), registries.c.id.desc())))
    )
    if name:
        statement = statement.where(registries.c.name.icontains(name, autoescape=True))
    return fetch(session, statement, listing, read_registry)


def registries_of(session: Session, registry_ids: Iterable[int]) -> dict[int, Registry]:
    """The registries of these numbers."""
    rows = session.execute(select(registries).where(registries.c.id.in_(sorted(set(registry_ids)))))
    return {row.id: read_registry(row) for row in rows}
