"""The catalogue's counters and sizes: storage by project with each blob once, and how many artifacts lists show.

Each statement here changes rows and the counters that sum them together; callers hold the project's and the
repository's row, taken in that order, so that no two transactions wait for each other.
"""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from shared.names import Digest

_USE_BLOBS: Final = text(
    """
    WITH part AS (SELECT * FROM unnest(CAST(:digests AS text[]), CAST(:sizes AS bigint[])) AS p (digest, size)),
    kept AS (
        INSERT INTO core.artifact_blobs (artifact_id, digest, size) SELECT :artifact_id, digest, size FROM part
    ),
    used AS (
        INSERT INTO core.project_blobs (project_id, digest, size, uses)
        SELECT :project_id, digest, size, 1 FROM part ORDER BY digest
        ON CONFLICT (project_id, digest) DO UPDATE SET uses = core.project_blobs.uses + 1
        RETURNING size, uses
    )
    UPDATE core.projects SET storage_used = storage_used + (SELECT coalesce(sum(size), 0) FROM used WHERE uses = 1)
    WHERE id = :project_id
    """
)
_RELEASE_BLOBS: Final = text(
    """
    WITH part AS (
        SELECT digest, count(*) AS uses FROM core.artifact_blobs WHERE artifact_id = ANY (:artifact_ids) GROUP BY digest
    ),
    kept AS (
        UPDATE core.project_blobs b SET uses = b.uses - part.uses FROM part
        WHERE b.project_id = :project_id AND b.digest = part.digest AND b.uses > part.uses
    ),
    freed AS (
        DELETE FROM core.project_blobs b USING part
        WHERE b.project_id = :project_id AND b.digest = part.digest AND b.uses = part.uses
        RETURNING b.size
    )
    UPDATE core.projects SET storage_used = storage_used - (SELECT coalesce(sum(size), 0) FROM freed)
    WHERE id = :project_id
    """
)
# An artifact is listed when a tag names it or no index refers to it; an accessory never, as long as what it is about
# is there. So of the artifacts of a repository one at least is listed.
_LIST: Final = text(
    """
    WITH state AS (
        SELECT a.id, (EXISTS (SELECT FROM core.tags t WHERE t.artifact_id = a.id)
            OR NOT EXISTS (SELECT FROM core.artifact_references r WHERE r.child_id = a.id))
            AND NOT EXISTS (SELECT FROM core.artifacts s
                            WHERE s.repository_id = a.repository_id AND s.digest = a.subject) AS listed
        FROM core.artifacts a WHERE a.id = ANY (:artifact_ids)
    ),
    changed AS (
        UPDATE core.artifacts a SET listed = state.listed FROM state
        WHERE a.id = state.id AND a.listed <> state.listed
        RETURNING CASE WHEN a.listed THEN 1 ELSE -1 END AS change
    ),
    repository AS (
        UPDATE core.repositories SET artifact_count = artifact_count + (SELECT coalesce(sum(change), 0) FROM changed)
        WHERE id = :repository_id
    )
    UPDATE core.projects SET artifact_count = artifact_count + (SELECT coalesce(sum(change), 0) FROM changed)
    WHERE id = :project_id
    """
)


def use_blobs(session: Session, *, project_id: int, artifact_id: int, blobs: Mapping[Digest, int]) -> None:
    """Take account of what a new artifact needs in storage."""
    arguments = {
        "project_id": project_id,
        "artifact_id": artifact_id,
        "digests": [digest.text for digest in blobs],
        "sizes": list(blobs.values()),
    }
    session.execute(_USE_BLOBS, arguments)


def release_blobs(session: Session, *, project_id: int, artifact_ids: Collection[int]) -> None:
    """Give back what artifacts needed in storage, before their rows go."""
    session.execute(_RELEASE_BLOBS, {"project_id": project_id, "artifact_ids": list(artifact_ids)})


def refresh_listed(session: Session, *, project_id: int, repository_id: int, artifact_ids: Collection[int]) -> None:
    """Decide anew which artifacts lists show, after their tags, parents or subjects changed."""
    if artifact_ids:
        arguments = {"project_id": project_id, "repository_id": repository_id, "artifact_ids": sorted(artifact_ids)}
        session.execute(_LIST, arguments)
