"""Reading replication policies."""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.replication.domain.policy import Policy
from services.replication.errors import NoSuchPolicy
from services.replication.queries.rows import read_policy
from services.replication.tables import policies
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(policies.c.id, Kind.INTEGER),
    "name": Field(policies.c.name),
    "description": Field(policies.c.description),
    "enabled": Field(policies.c.enabled, Kind.BOOLEAN),
    "trigger": Field(policies.c.trigger),
    "dest_namespace": Field(policies.c.namespace),
    "src_registry_id": Field(policies.c.source_id, Kind.INTEGER),
    "dest_registry_id": Field(policies.c.target_id, Kind.INTEGER),
    "creator": Field(policies.c.creator),
    "creation_time": Field(policies.c.created_at, Kind.TIME),
    "update_time": Field(policies.c.updated_at, Kind.TIME),
}


def get_policy(session: Session, policy_id: int) -> Policy:
    """A policy. Raises NoSuchPolicy."""
    row = session.execute(select(policies).where(policies.c.id == policy_id)).one_or_none()
    if row is None:
        raise NoSuchPolicy
    return read_policy(row)


def named_policy(session: Session, text: str) -> Policy:
    """The policy of a name, or else of a number. Raises NoSuchPolicy."""
    row = session.execute(select(policies).where(policies.c.name == text)).one_or_none()
    if row is not None:
        return read_policy(row)
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - an int4 has no more
        raise NoSuchPolicy(f"there is no replication policy {text[:80]}")
    return get_policy(session, int(text))


def list_policies(session: Session, listing: Listing, *, name: str = "") -> Page[Policy]:
    """All policies with a part of a name, the newest first unless asked otherwise."""
    statement = (
        select(policies)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (policies.c.created_at.desc(), policies.c.id.desc())))
    )
    if name:
        statement = statement.where(policies.c.name.icontains(name, autoescape=True))
    return fetch(session, statement, listing, read_policy)


def policies_of(session: Session, policy_ids: Iterable[int]) -> dict[int, Policy]:
    """The policies of these numbers."""
    rows = session.execute(select(policies).where(policies.c.id.in_(sorted(set(policy_ids)))))
    return {row.id: read_policy(row) for row in rows}
