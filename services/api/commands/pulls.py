"""Counting pulls: many at once, each event once, in the transaction that remembers the event."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from services.api.domain.hints import Pull
from shared.names import Digest, RepositoryName

_FRESH: Final = text(
    """
    INSERT INTO core.seen (event_id) SELECT unnest(CAST(:ids AS uuid[])) ON CONFLICT DO NOTHING RETURNING event_id
    """
)
# rows are locked in the order in which every writer of the catalogue locks them: repositories, artifacts, tags
_LOCK: Final = text("SELECT FROM core.repositories WHERE name = ANY (:names) ORDER BY id FOR NO KEY UPDATE")
_COUNT_REPOSITORIES: Final = text(
    """
    UPDATE core.repositories r SET pull_count = r.pull_count + p.pulls
    FROM unnest(CAST(:names AS text[]), CAST(:pulls AS bigint[])) AS p (name, pulls)
    WHERE r.name = p.name
    """
)
_COUNT_ARTIFACTS: Final = text(
    """
    UPDATE core.artifacts a SET pull_count = a.pull_count + p.pulls, pulled_at = greatest(a.pulled_at, p.pulled_at)
    FROM unnest(CAST(:names AS text[]), CAST(:digests AS text[]), CAST(:pulls AS bigint[]),
                CAST(:times AS timestamptz[])) AS p (name, digest, pulls, pulled_at)
    JOIN core.repositories r ON r.name = p.name
    WHERE a.repository_id = r.id AND a.digest = p.digest
    """
)
_TIME_TAGS: Final = text(
    """
    UPDATE core.tags t SET pulled_at = greatest(t.pulled_at, p.pulled_at)
    FROM unnest(CAST(:names AS text[]), CAST(:tags AS text[]),
                CAST(:times AS timestamptz[])) AS p (name, tag, pulled_at)
    JOIN core.repositories r ON r.name = p.name
    WHERE t.repository_id = r.id AND t.name = p.tag
    """
)
_UNKNOWN: Final = text(
    """
    SELECT p.name, p.digest FROM unnest(CAST(:names AS text[]), CAST(:digests AS text[])) AS p (name, digest)
    WHERE NOT EXISTS (
        SELECT FROM core.repositories r JOIN core.artifacts a ON a.repository_id = r.id
        WHERE r.name = p.name AND a.digest = p.digest
    )
    """
)
_PURGE: Final = text(
    """
    DELETE FROM core.seen WHERE event_id IN (
        SELECT event_id FROM core.seen WHERE seen_at < :before ORDER BY seen_at LIMIT :limit
    )
    """
)


def count_pulls(session: Session, pulls: Sequence[Pull]) -> int:
    """Add pulls to the counters and times of what was pulled; returns how many were new.

    What the catalogue does not know is left out: observe it first.
    """
    fresh = set(session.scalars(_FRESH, {"ids": [pull.event_id for pull in pulls]}))
    counted = [pull for pull in {pull.event_id: pull for pull in pulls}.values() if pull.event_id in fresh]
    if not counted:
        return 0
    by_repository = Counter(pull.repository.text for pull in counted)
    by_artifact = Counter((pull.repository.text, pull.digest.text) for pull in counted)
    pulled_at: dict[tuple[str, str], datetime] = {}
    tagged_at: dict[tuple[str, str], datetime] = {}
    for pull in sorted(counted, key=lambda pull: pull.time):
        pulled_at[pull.repository.text, pull.digest.text] = pull.time
        if pull.tag:
            tagged_at[pull.repository.text, pull.tag.text] = pull.time
    session.execute(_LOCK, {"names": list(by_repository)})
    session.execute(_COUNT_REPOSITORIES, {"names": list(by_repository), "pulls": list(by_repository.values())})
    session.execute(
        _COUNT_ARTIFACTS,
        {
            "names": [name for name, _ in by_artifact],
            "digests": [digest for _, digest in by_artifact],
            "pulls": list(by_artifact.values()),
            "times": [pulled_at[artifact] for artifact in by_artifact],
        },
    )
    if tagged_at:
        session.execute(
            _TIME_TAGS,
            {
                "names": [name for name, _ in tagged_at],
                "tags": [tag for _, tag in tagged_at],
                "times": list(tagged_at.values()),
            },
        )
    return len(counted)


def unknown_artifacts(session: Session, pulls: Collection[Pull]) -> set[tuple[RepositoryName, Digest]]:
    """Which of the pulled manifests the catalogue does not have (yet)."""
    named = sorted({(pull.repository.text, pull.digest.text) for pull in pulls})
    if not named:
        return set()
    rows = session.execute(_UNKNOWN, {"names": [name for name, _ in named], "digests": [digest for _, digest in named]})
    return {(RepositoryName(row.name), Digest(row.digest)) for row in rows}


def forget_seen(session: Session, *, before: datetime, limit: int = 10_000) -> int:
    """Forget events that were counted long ago; returns how many, at most `limit`."""
    return int(session.execute(_PURGE, {"before": before, "limit": limit}).rowcount)  # type: ignore[attr-defined]  # a DELETE gives a CursorResult
