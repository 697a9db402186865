"""Writing what was observed at the registry into the catalogue: rows, counters and sizes change together or not at all.

Whoever observes holds the repository's lock around reading and writing, so that an older view never overwrites a
newer one. Rows are locked in one order: project, repository, then what hangs on them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.commands.accounting import refresh_listed, release_blobs, use_blobs
from services.api.commands.quota import keep_counted, release_gone, release_reserved
from services.api.domain.artifact import media_type_of, type_of
from services.api.domain.observation import Changes, Found, TagChange, TagState, Truth
from services.api.tables import artifact_references, artifacts, project_blobs, projects, repositories, tags
from shared.names import Digest, RepositoryName, TagName
from shared.registry.manifests import Index, Platform

_AT_ONCE: Final = 1_000
"""Artifacts that one statement takes out."""
_LOCK_CLASS: Final = 0x4257
_LOCK: Final = text("SELECT pg_advisory_xact_lock(:class, hashtext(:name))")
_ADOPT_CHILD: Final = text(
    """
    UPDATE core.artifact_references r SET child_id = :child_id FROM core.artifacts parent
    WHERE r.child_digest = :digest AND r.child_id IS NULL
      AND parent.id = r.parent_id AND parent.repository_id = :repository_id
    """
)


def lock_repository(session: Session, repository: RepositoryName) -> None:
    """Be the only one that compares this repository with the registry, until the transaction ends."""
    session.execute(_LOCK, {"class": _LOCK_CLASS, "name": repository.text})


def known_digests(session: Session, repository: RepositoryName, digests: Collection[Digest]) -> frozenset[Digest]:
    """Which of these manifests the catalogue has."""
    if not digests:
        return frozenset()
    query = (
        select(artifacts.c.digest)
        .join(repositories, repositories.c.id == artifacts.c.repository_id)
        .where(repositories.c.name == repository.text, artifacts.c.digest.in_([digest.text for digest in digests]))
    )
    return frozenset(Digest(found) for found in session.scalars(query))


def known_sizes(session: Session, repository: RepositoryName, digests: Collection[Digest]) -> dict[Digest, int]:
    """The sizes of those blobs that the repository's project holds already."""
    query = (
        select(project_blobs.c.digest, project_blobs.c.size)
        .join(projects, projects.c.id == project_blobs.c.project_id)
        .where(projects.c.name == repository.project, projects.c.deleted_at.is_(None))
        .where(project_blobs.c.digest.in_([digest.text for digest in digests]))
    )
    return {Digest(row.digest): row.size for row in session.execute(query)}


def record(session: Session, truth: Truth) -> Changes:
    """Make the catalogue say what was observed; a repository comes into being with its first artifact.

    Returns what changed. Where the project does not exist (any more) nothing is written.
    """
    project_id = session.scalar(
        select(projects.c.id)
        .where(projects.c.name == truth.repository.project, projects.c.deleted_at.is_(None))
        .with_for_update(key_share=True)
    )
    if project_id is None:
        return Changes(project_id=None)
    release_gone(session, truth.repository, project_id=project_id, manifests=truth.gone)
    keep_counted(session, truth.repository, truth.there)
    repository_id = _repository(session, project_id, truth)
    if repository_id is None:
        return Changes(project_id=project_id)
    writer = _Writer(session, project_id, repository_id)
    for found in truth.found:
        writer.add(found)
    for tag, state in truth.tags.items():
        writer.set_tag(tag, state)
    gone = sorted(truth.gone, key=str)
    for start in range(0, len(gone), _AT_ONCE):
        writer.remove(gone[start : start + _AT_ONCE])
    return writer.finish()


def remove_repository(session: Session, repository: RepositoryName) -> int | None:
    """Take an empty repository's row away; its project's id, None where it has artifacts or does not exist."""
    row = session.execute(
        select(repositories.c.id, repositories.c.project_id)
        .where(repositories.c.name == repository.text)
        .where(~select(artifacts.c.id).where(artifacts.c.repository_id == repositories.c.id).exists())
    ).one_or_none()
    if row is None:
        return None
    counter = projects.c.repository_count
    session.execute(update(projects).where(projects.c.id == row.project_id).values(repository_count=counter - 1))
    session.execute(delete(repositories).where(repositories.c.id == row.id))
    return int(row.project_id)


def _repository(session: Session, project_id: int, truth: Truth) -> int | None:
    """The repository's locked row, made where there is something to keep in it."""
    name = truth.repository.text
    known: int | None = session.scalar(
        select(repositories.c.id).where(repositories.c.name == name).with_for_update(key_share=True)
    )
    if known is not None or not truth.found:
        return known
    made: int | None = session.scalar(
        insert(repositories)
        .values(project_id=project_id, name=name, created_at=min(found.pushed_at for found in truth.found))
        .returning(repositories.c.id)
    )
    session.execute(
        update(projects).where(projects.c.id == project_id).values(repository_count=projects.c.repository_count + 1)
    )
    return made


class _Writer:
    """The changes to one repository within one transaction; what lists show is decided once, at the end."""

    def __init__(self, session: Session, project_id: int, repository_id: int) -> None:
        self._session = session
        self._project_id = project_id
        self._repository_id = repository_id
        self._touched: set[int] = set()
        self._added: list[Found] = []
        self._removed: list[Digest] = []
        self._tags_set: list[TagChange] = []
        self._tags_removed: list[TagChange] = []

    def add(self, found: Found) -> None:
        """Catalogue a manifest; one that is there already stays as it is."""
        manifest = found.manifest
        children = self._ids(child.digest for child in manifest.children) if isinstance(manifest, Index) else {}
        artifact_id = self._session.scalar(
            upsert(artifacts)
            .values(
                project_id=self._project_id,
                repository_id=self._repository_id,
                digest=manifest.digest.text,
                type=type_of(manifest),
                media_type=media_type_of(manifest),
                manifest_media_type=manifest.media_type,
                artifact_type=manifest.artifact_type,
                subject=manifest.subject.digest.text if manifest.subject else None,
                size=found.size + self._size(children.values()),
                annotations=dict(manifest.annotations),
                extra_attrs=dict(found.extra_attrs),
                listed=False,
                pushed_at=found.pushed_at,
            )
            .on_conflict_do_nothing()
            .returning(artifacts.c.id)
        )
        if artifact_id is None:
            return
        use_blobs(self._session, project_id=self._project_id, artifact_id=artifact_id, blobs=found.blobs)
        release_reserved(self._session, project_id=self._project_id, manifest=manifest.digest)
        if isinstance(manifest, Index):
            self._refer(artifact_id, manifest, children)
        adopted = {"child_id": artifact_id, "digest": manifest.digest.text, "repository_id": self._repository_id}
        self._session.execute(_ADOPT_CHILD, adopted)
        self._touched.update({artifact_id, *children.values(), *self._about([manifest.digest])})
        self._added.append(found)

    def set_tag(self, tag: TagName, state: TagState) -> None:
        """Let a tag name what it names at the registry, or nothing.

        One that names a manifest which cannot be catalogued is taken off: it does not name what it did.
        """
        held = self._session.execute(
            select(tags.c.id, tags.c.artifact_id, artifacts.c.digest)
            .join(artifacts, artifacts.c.id == tags.c.artifact_id)
            .where(tags.c.repository_id == self._repository_id, tags.c.name == tag.text)
        ).one_or_none()
        if held is not None and state.digest is not None and held.digest == state.digest.text:
            return
        artifact_id = self._ids([state.digest]).get(state.digest) if state.digest else None
        if artifact_id is not None and state.digest is not None:
            values = {"artifact_id": artifact_id, "pushed_at": state.since, "pulled_at": None}
            self._session.execute(
                upsert(tags)
                .values(repository_id=self._repository_id, name=tag.text, **values)
                .on_conflict_do_update(constraint="uq_tags_repository_name", set_=values)
            )
            self._touched.add(artifact_id)
            self._tags_set.append(TagChange(tag=tag, digest=state.digest))
        elif held is not None:
            self._session.execute(delete(tags).where(tags.c.id == held.id))
            self._tags_removed.append(TagChange(tag=tag, digest=Digest(held.digest)))
        if held is not None:
            self._touched.add(held.artifact_id)

    def remove(self, digests: Collection[Digest]) -> None:
        """Take artifacts and their tags out, by a few statements for all; the children of an index stay."""
        known = self._ids(digests)
        gone = {known[digest]: digest for digest in digests if digest in known}
        if not gone:
            return
        named = self._session.execute(
            delete(tags).where(tags.c.artifact_id.in_(gone)).returning(tags.c.name, tags.c.artifact_id)
        ).all()
        self._tags_removed += [
            TagChange(tag=TagName(name), digest=gone[artifact_id]) for name, artifact_id in sorted(named)
        ]
        release_blobs(self._session, project_id=self._project_id, artifact_ids=gone)
        children = self._session.scalars(
            delete(artifact_references)
            .where(artifact_references.c.parent_id.in_(gone))
            .returning(artifact_references.c.child_id)
        )
        self._touched.update(child for child in children if child is not None)
        self._touched.update(self._about(gone.values()))
        self._touched.difference_update(gone)
        listed = self._session.scalars(delete(artifacts).where(artifacts.c.id.in_(gone)).returning(artifacts.c.listed))
        self._uncount(sum(listed))
        self._removed += gone.values()

    def finish(self) -> Changes:
        """Settle what lists show, and tell what changed."""
        refresh_listed(
            self._session,
            project_id=self._project_id,
            repository_id=self._repository_id,
            artifact_ids=self._touched,
        )
        changes = Changes(
            project_id=self._project_id,
            added=tuple(self._added),
            removed=tuple(self._removed),
            tags_set=tuple(self._tags_set),
            tags_removed=tuple(self._tags_removed),
        )
        if changes:
            self._session.execute(
                update(repositories).where(repositories.c.id == self._repository_id).values(updated_at=func.now())
            )
        return changes

    def _uncount(self, number: int) -> None:
        for table, row_id in ((repositories, self._repository_id), (projects, self._project_id)):
            self._session.execute(
                update(table).where(table.c.id == row_id).values(artifact_count=table.c.artifact_count - number)
            )

    def _ids(self, digests: Iterable[Digest]) -> dict[Digest, int]:
        rows = self._session.execute(
            select(artifacts.c.digest, artifacts.c.id).where(
                artifacts.c.repository_id == self._repository_id,
                artifacts.c.digest.in_({digest.text for digest in digests}),
            )
        )
        return {Digest(row.digest): row.id for row in rows}

    def _about(self, digests: Iterable[Digest]) -> Sequence[int]:
        """The artifacts whose subject is one of these."""
        named = artifacts.c.subject.in_({digest.text for digest in digests})
        about = select(artifacts.c.id).where(artifacts.c.repository_id == self._repository_id, named)
        return self._session.scalars(about).all()

    def _size(self, artifact_ids: Collection[int]) -> int:
        if not artifact_ids:
            return 0
        total = select(func.sum(artifacts.c.size)).where(artifacts.c.id.in_(artifact_ids))
        return int(self._session.scalar(total) or 0)

    def _refer(self, parent_id: int, index: Index, children: dict[Digest, int]) -> None:
        if not index.children:
            return
        self._session.execute(
            insert(artifact_references),
            [
                {
                    "parent_id": parent_id,
                    "position": position,
                    "child_digest": child.digest.text,
                    "child_id": children.get(child.digest),
                    "platform": _platform(child.platform),
                    "annotations": dict(child.annotations),
                }
                for position, child in enumerate(index.children)
            ],
        )


def _platform(platform: Platform | None) -> dict[str, Any]:
    """In the specification's own field names, without what is not told."""
    if platform is None:
        return {}
    told = {name: value for name, value in asdict(platform).items() if value}
    return {{"os_version": "os.version", "os_features": "os.features"}.get(name, name): told[name] for name in told}
