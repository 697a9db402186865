"""Listing referrers: out of the catalogue, and what was pushed or deleted too lately for it out of the expectations.

The catalogue follows by events and may be seconds behind, or hours while the broker is down; whoever has pushed a
signature looks for it at once.
"""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Row, Select, and_, case, literal, select, text
from sqlalchemy.orm import Session, sessionmaker

from services.api.domain.referrer import Referrer, Referrers, referrer_of
from services.api.tables import artifact_blobs, artifacts, repositories
from shared.names import Digest, RepositoryName
from shared.registry.client import RegistryClient
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import INDEX_TYPES, parse

PAGE: Final = 200
"""Referrers of one answer, or a few more: their annotations may be long."""

# Of each manifest the last write that the registry has taken: of those that are about the subject, and of `known`.
_LAST_WRITES: Final = text(
    """
    SELECT DISTINCT ON (e.digest) e.digest, e.kind, EXISTS (
        SELECT FROM core.artifacts a JOIN core.repositories r ON r.id = a.repository_id
        WHERE r.name = :repository AND a.digest = e.digest
    ) AS catalogued
    FROM events.expected e
    WHERE e.repository = :repository AND (e.state = 'settled' OR (e.state = 'open' AND e.answered_at IS NOT NULL))
      AND e.digest IN (
        SELECT digest FROM events.expected WHERE repository = :repository AND subject = :subject
        UNION SELECT unnest(CAST(:known AS text[]))
      )
    ORDER BY e.digest, e.created_at DESC
    """
)


def list_referrers(
    sessions: sessionmaker[Session],
    registry: RegistryClient,
    *,
    repository: RepositoryName,
    subject: Digest,
    artifact_type: str = "",
    after: str = "",
) -> Referrers:
    """The manifests of a repository that are about `subject`, from behind a digest on, of one type or of all.

    None for a subject that nothing is about, whether it exists or not. No transaction is open while the registry is
    asked. Raises RegistryUnavailable.
    """
    with sessions() as session:
        rows = _catalogued(session, repository, subject, artifact_type, after)
        more = rows[PAGE - 1].digest if len(rows) > PAGE else None
        rows = rows[:PAGE]
        values = {"repository": repository.text, "subject": subject.text, "known": [row.digest for row in rows]}
        writes = session.execute(_LAST_WRITES, values).all()
    gone = {write.digest for write in writes if write.kind == "delete"}
    fresh = [write.digest for write in writes if write.kind == "put" and not write.catalogued]
    found = [_referrer(row) for row in rows if row.digest not in gone]
    wanted = [digest for digest in fresh if digest > after and (more is None or digest <= more)]
    read = _read(registry, repository, subject, wanted)
    found += [referrer for referrer in read if artifact_type in {"", referrer.artifact_type}]
    return Referrers(records=sorted(found, key=lambda each: each.digest), after=more)


def _catalogued(
    session: Session, repository: RepositoryName, subject: Digest, artifact_type: str, after: str
) -> Sequence[Row[Any]]:
    """One more than a page, to see whether there are more."""
    own = case((artifacts.c.manifest_media_type.in_(sorted(INDEX_TYPES)), literal("")), else_=artifacts.c.media_type)
    typed = case((artifacts.c.artifact_type != "", artifacts.c.artifact_type), else_=own)
    by_digest = artifacts.c.digest.collate("C")
    itself = and_(artifact_blobs.c.artifact_id == artifacts.c.id, artifact_blobs.c.digest == artifacts.c.digest)
    query: Select[Any] = (
        select(
            artifacts.c.digest,
            artifacts.c.manifest_media_type,
            artifacts.c.annotations,
            typed.label("artifact_type"),
            artifact_blobs.c.size,
        )
        .join(repositories, repositories.c.id == artifacts.c.repository_id)
        .join(artifact_blobs, itself)
        .where(repositories.c.name == repository.text, artifacts.c.subject == subject.text, by_digest > after)
        .order_by(by_digest)
        .limit(PAGE + 1)
    )
    if artifact_type:
        query = query.where(typed == artifact_type)
    return session.execute(query).all()


def _read(
    registry: RegistryClient, repository: RepositoryName, subject: Digest, digests: Collection[str]
) -> list[Referrer]:
    """What the registry holds of some manifests that the catalogue lacks."""
    found = []
    for digest in digests:
        stored = registry.manifest(repository, Digest(digest))
        if stored is None:
            continue
        try:
            manifest = parse(stored.body, stored.media_type)
        except UnreadableManifest:
            continue
        if manifest.subject is not None and manifest.subject.digest == subject:
            found.append(referrer_of(manifest))
    return found


def _referrer(row: Row[Any]) -> Referrer:
    return Referrer(
        digest=row.digest,
        media_type=row.manifest_media_type,
        size=row.size,
        artifact_type=row.artifact_type,
        annotations=row.annotations,
    )
