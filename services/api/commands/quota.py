"""A project's quota: changing it, and keeping room under it for what is being pushed.

What a push will add is reserved under the project's lock in one short transaction, before the registry is asked.
A reservation ends when the catalogue counts the manifest, finds it deleted again, or when the push is known not to
have happened. What a deletion will free is noted in the same way, until the artifact leaves the catalogue.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from services.api.domain.project import UNLIMITED
from services.api.domain.quota import crosses_warning, in_words
from services.api.errors import NoSuchProject, OverQuota
from services.api.queries.configuration import value
from services.api.queries.quota import arriving, departing
from services.api.tables import projects
from shared.events import EventContext, emit
from shared.events.definitions.project import ProjectUpdated
from shared.events.definitions.quota import QuotaWarned
from shared.names import Digest, RepositoryName

# one statement cannot do both: what it reads was decided before it waited for the lock
_LOCK: Final = text(
    """
    SELECT id, storage_limit, storage_used FROM core.projects
    WHERE name = :project AND deleted_at IS NULL FOR NO KEY UPDATE
    """
)
_NEEDED: Final = text(
    f"""
    WITH wanted AS (SELECT * FROM unnest(CAST(:digests AS text[]), CAST(:sizes AS bigint[])) AS w (digest, size)),
    arriving AS ({arriving(":project_id", answered=False)}),
    departing AS ({departing(":project_id")}),
    missing AS (
        SELECT w.digest, w.size FROM wanted w
        WHERE NOT EXISTS (SELECT FROM core.project_blobs b WHERE b.project_id = :project_id AND b.digest = w.digest)
            OR EXISTS (SELECT FROM departing d WHERE d.digest = w.digest)
    )
    SELECT (SELECT coalesce(sum(a.size), 0) FROM arriving a WHERE NOT EXISTS (
               SELECT FROM core.project_blobs b WHERE b.project_id = :project_id AND b.digest = a.digest)) AS reserved,
           (SELECT coalesce(sum(d.size), 0) FROM departing d
            WHERE NOT EXISTS (SELECT FROM arriving a WHERE a.digest = d.digest)) AS freed,
           (SELECT coalesce(sum(m.size), 0) FROM missing m
            WHERE NOT EXISTS (SELECT FROM arriving a WHERE a.digest = m.digest)) AS adds,
           EXISTS (SELECT FROM missing) AS is_missing
    """  # noqa: S608 - no value of anybody's is in it
)
_RESERVE: Final = text(
    """
    INSERT INTO core.quota_reservations (expectation_id, project_id, manifest, digests, sizes)
    VALUES (:expectation_id, :project_id, :manifest, :digests, :sizes)
    """
)
_NOTE: Final = text(
    """
    INSERT INTO core.quota_reservations (expectation_id, project_id, manifest, digests, sizes)
    SELECT :expectation_id, p.id, :manifest, :digests, :sizes FROM core.projects p
    WHERE p.name = :project AND p.deleted_at IS NULL AND NOT EXISTS (
        SELECT FROM core.project_blobs b WHERE b.project_id = p.id AND b.digest = :manifest)
    """
)
# an artifact that is being taken out right now is waited for, and passed over
_DEPART: Final = text(
    """
    INSERT INTO core.quota_departures (expectation_id, project_id, artifact_id)
    SELECT :expectation_id, a.project_id, a.id
    FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id
    WHERE r.name = :repository AND a.digest = :digest FOR KEY SHARE OF a
    RETURNING artifact_id
    """
)
_DEPART_EARLY: Final = text(
    """
    INSERT INTO core.quota_departures (expectation_id, project_id)
    SELECT :expectation_id, id FROM core.projects WHERE name = :project AND deleted_at IS NULL
    """
)
# of a push and a deletion that were under way at once nobody knows which was first: the manifest that is there tells
_STAYS: Final = text(
    """
    WITH asked AS (
        SELECT e.id, e.answered_at < now() AS is_answered, EXISTS (
            SELECT FROM events.expected p WHERE p.digest = e.digest AND p.repository = e.repository
                AND p.kind = 'put' AND p.state <> 'refused' AND p.answered_at > e.created_at) AS is_undone
        FROM events.expected e
        WHERE e.digest = ANY (:manifests) AND e.repository = :repository
    ),
    arrived AS (DELETE FROM core.quota_reservations r USING asked a WHERE r.expectation_id = a.id AND a.is_answered)
    DELETE FROM core.quota_departures d USING asked a WHERE d.expectation_id = a.id AND (a.is_answered OR a.is_undone)
    """
)
_RELEASE: Final = text("DELETE FROM core.quota_reservations WHERE project_id = :project_id AND manifest = :manifest")
_RELEASE_GONE: Final = text(
    """
    DELETE FROM core.quota_reservations r USING events.expected e
    WHERE e.id = r.expectation_id AND e.repository = :repository AND e.answered_at < now()
      AND r.project_id = :project_id AND r.manifest = ANY (:manifests)
    """
)
_FORGET_DEPARTED: Final = text("DELETE FROM core.quota_departures WHERE departed_at < :before")
_FORGET: Final = text(
    """
    DELETE FROM core.quota_reservations WHERE expectation_id IN (
        SELECT expectation_id FROM core.quota_reservations WHERE reserved_at < :before
        ORDER BY reserved_at LIMIT :limit
    )
    """
)
_RECOUNT_BLOBS: Final = text(
    """
    WITH truth AS MATERIALIZED (
        SELECT b.digest, max(b.size) AS size, count(*) AS uses
        FROM core.artifact_blobs b JOIN core.artifacts a ON a.id = b.artifact_id
        WHERE a.project_id = :project_id GROUP BY b.digest
    ),
    dropped AS (
        DELETE FROM core.project_blobs p WHERE p.project_id = :project_id
            AND NOT EXISTS (SELECT FROM truth t WHERE t.digest = p.digest)
    )
    INSERT INTO core.project_blobs (project_id, digest, size, uses)
    SELECT :project_id, digest, size, uses FROM truth ORDER BY digest
    ON CONFLICT (project_id, digest) DO UPDATE SET size = excluded.size, uses = excluded.uses
        WHERE (core.project_blobs.size, core.project_blobs.uses) <> (excluded.size, excluded.uses)
    """
)
_RECOUNT: Final = text(
    """
    UPDATE core.projects p SET storage_used = counted.size
    FROM (SELECT coalesce(sum(b.size), 0) AS size FROM core.project_blobs b WHERE b.project_id = :project_id) counted
    WHERE p.id = :project_id AND p.storage_used <> counted.size
    RETURNING p.storage_used
    """
)


def update_quota(session: Session, project_id: int, limit: int, *, now: datetime, context: EventContext) -> None:
    """Set how many bytes a project may store, or UNLIMITED; what it stores already stays. Raises NoSuchProject."""
    row = session.execute(
        update(projects)
        .where(projects.c.id == project_id, projects.c.deleted_at.is_(None))
        .values(storage_limit=limit, updated_at=now)
        .returning(projects.c.name, projects.c.public)
    ).one_or_none()
    if row is None:
        raise NoSuchProject
    event = ProjectUpdated(project=row.name, project_id=project_id, changed=("storage_limit",), public=row.public)
    emit(session, event, context=context)


def is_limited(session: Session, project: str) -> bool:
    """Whether pushes into a project have to fit under a quota."""
    limit = session.scalar(
        select(projects.c.storage_limit).where(projects.c.name == project, projects.c.deleted_at.is_(None))
    )
    return limit not in {None, UNLIMITED} and bool(value(session, "quota_per_project_enable"))


def reserve(
    session: Session,
    repository: RepositoryName,
    *,
    expectation_id: UUID,
    manifest: Digest,
    needs: Mapping[Digest, int],
    context: EventContext,
) -> None:
    """Keep room in the project for what a manifest needs and the project does not hold yet.

    `needs` are the blobs with their measured sizes, the manifest among them. What adds nothing always fits. The
    project's row stays locked until the commit. Raises OverQuota.
    """
    project = session.execute(_LOCK, {"project": repository.project}).one_or_none()
    if project is None:
        return
    arguments = {"project_id": project.id, **_columns(needs)}
    needed = session.execute(_NEEDED, arguments).one()
    limit, adds = project.storage_limit, int(needed.adds)
    used = project.storage_used + int(needed.reserved - needed.freed)
    if adds and limit != UNLIMITED and used + adds > limit:
        raise OverQuota(
            f"adding {in_words(adds)} of storage resource, which when updated to current usage of "
            f"{in_words(used)} will exceed the configured upper limit of {in_words(limit)}"
        )
    if crosses_warning(limit, used, used + adds):
        event = QuotaWarned(
            project=repository.project, project_id=project.id, repository=repository.text, limit=limit, used=used + adds
        )
        emit(session, event, context=context)
    if needed.is_missing:
        session.execute(_RESERVE, {"expectation_id": expectation_id, "manifest": manifest.text, **arguments})


def note_arrival(
    session: Session,
    repository: RepositoryName,
    *,
    expectation_id: UUID,
    manifest: Digest,
    needs: Mapping[Digest, int],
) -> None:
    """Note what a push will add where nothing is refused for it, without a lock; `needs` are as the manifest claims."""
    arguments = {"expectation_id": expectation_id, "project": repository.project, "manifest": manifest.text}
    session.execute(_NOTE, {**arguments, **_columns(needs)})


def note_departure(session: Session, repository: RepositoryName, *, expectation_id: UUID, manifest: Digest) -> None:
    """Note that a manifest's deletion will free what it alone needs, also if it is catalogued only meanwhile."""
    arguments = {"expectation_id": expectation_id, "repository": repository.text, "digest": manifest.text}
    if session.execute(_DEPART, arguments).first() is None:
        session.execute(_DEPART_EARLY, {"expectation_id": expectation_id, "project": repository.project})


def release_reserved(session: Session, *, project_id: int, manifest: Digest) -> None:
    """The catalogue counts this manifest from now on."""
    session.execute(_RELEASE, {"project_id": project_id, "manifest": manifest.text})


def release_gone(
    session: Session, repository: RepositoryName, *, project_id: int, manifests: Collection[Digest]
) -> None:
    """These manifests were pushed and are gone before the catalogue counted them; what is on its way keeps its room.

    The transaction began before the registry was asked for them.
    """
    if manifests:
        values = {
            "repository": repository.text,
            "project_id": project_id,
            "manifests": [manifest.text for manifest in manifests],
        }
        session.execute(_RELEASE_GONE, values)


def keep_counted(session: Session, repository: RepositoryName, manifests: Collection[Digest]) -> None:
    """These manifests are in the catalogue, and in the registry still: what was answered before changes no sum.

    A deletion that is answered since may have taken one away meanwhile, unless a push was under way beside it. The
    transaction began before the registry was asked.
    """
    if manifests:
        values = {"repository": repository.text, "manifests": [manifest.text for manifest in manifests]}
        session.execute(_STAYS, values)


def forget_departed(session: Session, *, before: datetime) -> None:
    """Give up what deletions of long ago were to free: the catalogue has followed them, or holds what came back."""
    session.execute(_FORGET_DEPARTED, {"before": before})


def forget_reserved(session: Session, *, before: datetime, limit: int = 10_000) -> int:
    """Give up what was reserved long ago for manifests that never could be catalogued; returns how many, at most."""
    return int(session.execute(_FORGET, {"before": before, "limit": limit}).rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult


def recount(session: Session, project: str) -> bool:
    """Sum up anew what a project stores, from its artifacts; whether the sum that was kept had been wrong."""
    row = session.execute(_LOCK, {"project": project}).one_or_none()
    if row is None:
        return False
    session.execute(_RECOUNT_BLOBS, {"project_id": row.id})
    return session.scalar(_RECOUNT, {"project_id": row.id}) is not None


def _columns(needs: Mapping[Digest, int]) -> dict[str, list[str] | list[int]]:
    return {"digests": [digest.text for digest in needs], "sizes": list(needs.values())}
