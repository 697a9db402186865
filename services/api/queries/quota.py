"""Reading quotas: a project's limit and what it stores."""

from typing import Any, Final

from sqlalchemy import BigInteger, Row, Select, literal_column, select
from sqlalchemy.orm import Session

from services.api.domain.quota import Quota
from services.api.errors import NoSuchQuota
from services.api.tables import projects, users
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "name": Field(projects.c.name),
    "hard.storage": Field(projects.c.storage_limit, Kind.INTEGER),
    "used.storage": Field(projects.c.storage_used, Kind.INTEGER),
    "creation_time": Field(projects.c.created_at, Kind.TIME),
    "update_time": Field(projects.c.updated_at, Kind.TIME),
    "id": Field(projects.c.id, Kind.INTEGER),
}

_ARRIVED: Final = literal_column(
    """
    coalesce((
        SELECT sum(held.size)::bigint
        FROM (
            SELECT DISTINCT ON (b.digest) b.digest, b.size
            FROM core.quota_reservations r
            JOIN events.expected e ON e.id = r.expectation_id AND e.answered_at IS NOT NULL,
                 unnest(r.digests, r.sizes) AS b (digest, size)
            WHERE r.project_id = projects.id
        ) held
        WHERE NOT EXISTS (
            SELECT FROM core.project_blobs p WHERE p.project_id = projects.id AND p.digest = held.digest)
    ), 0)
    """,
    BigInteger,
)
"""What the registry has taken into a project with a limit, and the catalogue has still to count."""


def get_quota(session: Session, quota_id: int) -> Quota:
    """The quota of the project with this number, true as soon as a push is answered. Raises NoSuchQuota."""
    row = session.execute(_quotas().where(projects.c.id == quota_id)).one_or_none()
    if row is None:
        raise NoSuchQuota
    return _read(row)


def list_quotas(session: Session, listing: Listing, *, project_id: int | None = None) -> Page[Quota]:
    """The quotas of all projects, or of one; a project's name is a filter of theirs.

    They are ordered and filtered by what the catalogue has counted, which in a burst of pushes lags behind.
    """
    statement = (
        _quotas()
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (projects.c.id.asc(),)))
    )
    if project_id is not None:
        statement = statement.where(projects.c.id == project_id)
    return fetch(session, statement, listing, _read)


def _quotas() -> Select[Any]:
    return (
        select(
            projects.c.id,
            projects.c.name,
            projects.c.storage_limit,
            (projects.c.storage_used + _ARRIVED).label("used"),
            projects.c.created_at,
            projects.c.updated_at,
            users.c.username,
        )
        .join(users, users.c.id == projects.c.owner_id)
        .where(projects.c.deleted_at.is_(None))
    )


def _read(row: Row[Any]) -> Quota:
    return Quota(
        id=row.id,
        project=row.name,
        owner=row.username,
        limit=row.storage_limit,
        used=row.used,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
