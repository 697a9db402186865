"""Reading the collections of garbage, and what they may delete."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from services.api.domain.collection import Collection
from services.api.domain.retention import Status, Trigger
from services.api.errors import NoSuchCollection
from services.api.tables import collections
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering
from shared.names import Digest, RepositoryName

FIELDS: Final[Fields] = {
    "id": Field(collections.c.id, Kind.INTEGER),
    "job_status": Field(collections.c.status),
    "creation_time": Field(collections.c.created_at, Kind.TIME),
    "update_time": Field(collections.c.updated_at, Kind.TIME),
}
_LAST: Final = text("""
    SELECT l.finished_at, l.status, l.freed, EXISTS (SELECT FROM core.collections WHERE finished_at IS NULL) AS is_open
    FROM (SELECT) AS one LEFT JOIN LATERAL (
        SELECT finished_at, status, freed FROM core.collections
        WHERE finished_at IS NOT NULL AND NOT dry_run ORDER BY id DESC LIMIT 1
    ) AS l ON true
""")
_UNTAGGED: Final = """
    FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id
    WHERE a.pushed_at < :before
      AND NOT EXISTS (SELECT FROM core.tags t WHERE t.artifact_id = a.id)
      AND NOT EXISTS (SELECT FROM core.artifact_references x WHERE x.child_id = a.id)
      AND NOT EXISTS (SELECT FROM core.artifacts s WHERE s.repository_id = a.repository_id AND s.digest = a.subject)
      -- what was written there just now the catalogue may not have heard of: a tag, or an index that names it
      AND NOT EXISTS (
          SELECT FROM events.expected e WHERE e.repository = r.name AND e.kind = 'put'
            AND (e.state = 'open' OR e.state = 'settled' AND e.settled_at > :heard))
"""
_LIST_UNTAGGED: Final = text(f"SELECT r.name, a.digest {_UNTAGGED} ORDER BY r.name, a.id DESC")
_IS_UNTAGGED: Final = text(f"SELECT EXISTS (SELECT {_UNTAGGED} AND r.name = :repository AND a.digest = :digest)")


@dataclass(frozen=True, kw_only=True, slots=True)
class LastCollection:
    """The last one that has ended and was no dry run, and whether there is one that has not ended."""

    finished_at: datetime | None
    """None where there was none."""
    status: Status | None
    freed: int
    is_open: bool


def last_collection(session: Session) -> LastCollection:
    """By one statement."""
    row = session.execute(_LAST).one()
    return LastCollection(
        finished_at=row.finished_at,
        status=Status(row.status) if row.status else None,
        freed=row.freed or 0,
        is_open=row.is_open,
    )


def list_collections(session: Session, listing: Listing) -> Page[Collection]:
    """The collections, the newest first."""
    statement = (
        select(collections)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (collections.c.id.desc(),)))
    )
    return fetch(session, statement, listing, _read)


def get_collection(session: Session, collection_id: int) -> Collection:
    """One collection. Raises NoSuchCollection."""
    row = session.execute(select(collections).where(collections.c.id == collection_id)).one_or_none()
    if row is None:
        raise NoSuchCollection
    return _read(row)


def untagged(session: Session, *, before: datetime, heard: datetime) -> list[tuple[RepositoryName, Digest]]:
    """Artifacts that no tag, no index and no subject keeps, pushed before a moment, where nothing was written since."""
    rows = session.execute(_LIST_UNTAGGED, {"before": before, "heard": heard})
    return [(RepositoryName(row.name), Digest(row.digest)) for row in rows]


def is_untagged(
    session: Session, repository: RepositoryName, digest: Digest, *, before: datetime, heard: datetime
) -> bool:
    """Whether an artifact is still one of those."""
    values = {"before": before, "heard": heard, "repository": repository.text, "digest": digest.text}
    return bool(session.scalar(_IS_UNTAGGED, values))


def _read(row: Row[Any]) -> Collection:
    return Collection(
        id=row.id,
        trigger=Trigger(row.trigger),
        parameters=row.parameters,
        delete_untagged=row.delete_untagged,
        dry_run=row.dry_run,
        actor=row.actor,
        status=Status(row.status),
        log=row.log,
        progress=row.progress,
        artifacts=row.artifacts,
        blobs=row.blobs,
        freed=row.freed,
        created_at=row.created_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
    )
