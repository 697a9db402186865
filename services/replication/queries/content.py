"""What this registry holds, by its catalogue: the source of a policy that pushes."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from services.replication.domain.policy import ResourceKind
from services.replication.domain.retention import NOTHING, Retention, stored_retention
from services.replication.ends import Found, Label
from shared.names import Digest

PAGE: Final = 500
_IMAGE: Final = "IMAGE"

# whatever refers to another artifact is listed after all others: it goes where its subject is already
_ARTIFACTS: Final = text(
    """
    SELECT a.id, a.repository, a.digest, a.type, a.subject,
           coalesce((SELECT array_agg(t.name ORDER BY t.name) FROM directory.tags t WHERE t.artifact_id = a.id), '{}')
               AS tags,
           coalesce((SELECT array_agg(l.name) FROM directory.artifact_labels l WHERE l.artifact_id = a.id), '{}')
               AS labels
    FROM directory.artifacts a
    WHERE a.id > :after AND (a.subject IS NOT NULL) = :referring
    ORDER BY a.id LIMIT :page
    """
)
_LABELS: Final = text(
    """
    SELECT l.name, l.color, l.description
    FROM directory.artifacts a JOIN directory.artifact_labels l ON l.artifact_id = a.id
    WHERE a.repository = :repository AND a.digest = :digest
    ORDER BY l.name
    """
)
_RETENTION: Final = text("SELECT rules, cron FROM directory.retentions WHERE project = :project")
_REFERRERS: Final = text(
    "SELECT digest FROM directory.artifacts WHERE repository = :repository AND subject = :digest ORDER BY id"
)
_STANDING: Final = text(
    """
    SELECT t.repository, t.name, a.digest
    FROM unnest(CAST(:repositories AS text[]), CAST(:names AS text[])) AS asked (repository, name)
    JOIN directory.tags t ON t.repository = asked.repository AND t.name = asked.name
    JOIN directory.artifacts a ON a.id = t.artifact_id
    """
)
_LOST: Final = text(
    """
    SELECT c.source, c.reference, c.target, c.digest FROM replication.copies c
    WHERE c.policy_id = :policy AND NOT EXISTS (
        SELECT FROM directory.artifacts a
        LEFT JOIN directory.tags t ON t.artifact_id = a.id AND t.name = c.reference
        WHERE a.repository = c.source AND (t.name IS NOT NULL OR a.digest = c.reference)
    )
    ORDER BY c.source, c.reference
    """
)


def artifacts(session: Session) -> Iterator[Found]:
    """Every artifact with a tag, then those that refer to another one."""
    for referring in (False, True):
        after = 0
        while True:
            rows = session.execute(_ARTIFACTS, {"after": after, "referring": referring, "page": PAGE}).all()
            yield from (_found(row) for row in rows if row.tags or referring)
            if len(rows) < PAGE:
                break
            after = rows[-1].id


def labels_of(session: Session, repository: str, digest: Digest) -> list[Label]:
    """The labels that an artifact bears."""
    rows = session.execute(_LABELS, {"repository": repository, "digest": digest.text})
    return [Label(name=row.name, color=row.color, description=row.description) for row in rows]


def retention_of(session: Session, project: str) -> Retention:
    """What a project keeps."""
    row = session.execute(_RETENTION, {"project": project}).one_or_none()
    return stored_retention({"rules": row.rules, "cron": row.cron}) if row is not None else NOTHING


def referrers_of(session: Session, repository: str, digest: Digest) -> Sequence[Digest]:
    """What refers to a manifest, as far as it is catalogued."""
    found = session.scalars(_REFERRERS, {"repository": repository, "digest": digest.text})
    return [Digest(each) for each in found]


def standing(session: Session, tags: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Digest]:
    """What tags stand for, each with its repository; what is not catalogued is not among them."""
    asked = {"repositories": [repository for repository, _ in tags], "names": [name for _, name in tags]}
    return {(row.repository, row.name): Digest(row.digest) for row in session.execute(_STANDING, asked)}


def lost_copies(session: Session, policy_id: int) -> list[Row[Any]]:
    """What a policy has copied and this registry has no more."""
    return list(session.execute(_LOST, {"policy": policy_id}).all())


def _found(row: Row[Any]) -> Found:
    return Found(
        repository=row.repository,
        tags=tuple(row.tags) or (row.digest,),
        digest=row.digest,
        kind=ResourceKind.IMAGE if row.type == _IMAGE else ResourceKind.ARTIFACT,
        labels=tuple(row.labels),
    )
