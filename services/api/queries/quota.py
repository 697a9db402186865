"""Reading quotas: a project's limit and what it stores."""

from typing import Any, Final

from sqlalchemy import BigInteger, Row, Select, literal_column, select
from sqlalchemy.orm import Session

from services.api.domain.quota import Quota
from services.api.errors import NoSuchQuota
from services.api.tables import projects, users
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

MOST: Final = 2**62
"""Bytes that are shown as used at most: a manifest may claim anything until its blobs are measured."""
FIELDS: Final[Fields] = {
    "name": Field(projects.c.name),
    "hard.storage": Field(projects.c.storage_limit, Kind.INTEGER),
    "used.storage": Field(projects.c.storage_used, Kind.INTEGER),
    "creation_time": Field(projects.c.created_at, Kind.TIME),
    "update_time": Field(projects.c.updated_at, Kind.TIME),
    "id": Field(projects.c.id, Kind.INTEGER),
}


def arriving(project: str, *, answered: bool) -> str:
    """SQL for the blobs, with their sizes, of manifests that the catalogue has still to count in a project.

    They are those that the registry has taken, or those on their way to it too. What was deleted since is not among
    them. `project` is an SQL expression for the project's number.
    """
    only = "AND e.answered_at IS NOT NULL" if answered else ""
    return f"""
        SELECT DISTINCT ON (b.digest) b.digest, b.size
        FROM core.quota_reservations r JOIN events.expected e ON e.id = r.expectation_id {only},
             unnest(r.digests, r.sizes) AS b (digest, size)
        WHERE r.project_id = {project} AND NOT EXISTS (
            SELECT FROM events.expected d WHERE d.digest = r.manifest AND d.repository = e.repository
                AND d.kind = 'delete' AND d.answered_at > e.answered_at)
    """  # noqa: S608 - no value of anybody's is in it


def departing(project: str) -> str:
    """SQL for the blobs, with their sizes, that a project holds for artifacts alone that the registry has deleted.

    An artifact that was pushed again since is not among these, nor one whose push is under way.
    """
    return f"""
        SELECT held.digest, held.size
        FROM (
            SELECT b.digest, count(*) AS uses
            FROM (
                SELECT DISTINCT coalesce(d.artifact_id, (
                    SELECT a.id FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id
                    WHERE r.name = e.repository AND a.digest = e.digest)) AS artifact_id
                FROM core.quota_departures d JOIN events.expected e ON e.id = d.expectation_id
                WHERE d.project_id = {project} AND e.answered_at IS NOT NULL AND NOT EXISTS (
                    SELECT FROM events.expected p WHERE p.digest = e.digest AND p.repository = e.repository
                        AND p.kind = 'put' AND p.state <> 'refused'
                        AND (p.created_at > e.created_at OR p.answered_at > e.answered_at))
            ) gone JOIN core.artifact_blobs b ON b.artifact_id = gone.artifact_id
            GROUP BY b.digest
        ) freed JOIN core.project_blobs held
            ON held.project_id = {project} AND held.digest = freed.digest AND held.uses <= freed.uses
    """  # noqa: S608 - as above


_UNCOUNTED: Final = literal_column(
    f"""
    (
        WITH arriving AS ({arriving("projects.id", answered=True)}), departing AS ({departing("projects.id")}),
        new AS (
            SELECT sum(a.size) AS size FROM arriving a WHERE NOT EXISTS (
                SELECT FROM core.project_blobs b WHERE b.project_id = projects.id AND b.digest = a.digest)
        ),
        freed AS (
            SELECT sum(d.size) AS size FROM departing d
            WHERE NOT EXISTS (SELECT FROM arriving a WHERE a.digest = d.digest)
        )
        SELECT least(coalesce(new.size, 0), {MOST}) - coalesce(freed.size, 0) FROM new, freed
    )::bigint
    """,  # noqa: S608 - as above
    BigInteger,
)
"""What the registry has taken into a project and given up, and the catalogue has still to follow."""


def get_quota(session: Session, quota_id: int) -> Quota:
    """The quota of the project with this number, right once a push or deletion is answered. Raises NoSuchQuota."""
    row = session.execute(_quotas().where(projects.c.id == quota_id)).one_or_none()
    if row is None:
        raise NoSuchQuota
    return _read(row)


def list_quotas(session: Session, listing: Listing, *, project_id: int | None = None) -> Page[Quota]:
    """The quotas of all projects, or of one; a project's name is a filter of theirs.

    They are ordered and filtered by what the catalogue has counted, which lags in a burst of pushes or deletions.
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
            (projects.c.storage_used + _UNCOUNTED).label("used"),
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
