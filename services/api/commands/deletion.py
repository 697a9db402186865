"""Deleting at the registry for the API: artifacts, tags, repositories; and putting a tag on an artifact.

None of this is one transaction: what is asked of the registry is committed as an expectation first, so that after a
crash the reconciler tells of what was done, and finishes a tag's deletion that was left half-way.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.announcement import announce_removal
from services.api.commands.catalogue import known_digests, lock_repository, record, remove_repository
from services.api.commands.expectation import (
    Kind,
    SettledBy,
    hold,
    left_open,
    open_expectation,
    refuse,
    settle,
    take_on,
)
from services.api.commands.immutability import refuse_immutable, refuse_immutable_manifest
from services.api.commands.observation import observe
from services.api.commands.reconcile import tell_deletion
from services.api.domain.artifact import Artifact, Tag
from services.api.domain.observation import Changes, TagState, Truth
from services.api.queries.artifact import get_artifact
from services.api.queries.repository import get_repository
from services.api.queries.tag import get_tag
from services.api.tables import artifact_references, artifacts, repositories, tags
from shared.errors import BreakwaterError, Conflict, NotFound, PreconditionFailed
from shared.events import EventContext, emit
from shared.events.definitions.artifact import Origin
from shared.events.definitions.repository import RepositoryDeleted
from shared.events.definitions.tag import TagCreated
from shared.names import Digest, RepositoryName, TagName
from shared.registry import agent
from shared.registry.client import RegistryClient
from shared.registry.manifests import OCI_INDEX, throwaway

Sessions = sessionmaker[Session]

class _Relation(Enum):
    """Why an artifact goes with the one that is deleted."""

    SELF = auto()
    CHILD = auto()
    ACCESSORY = auto()


_CHUNK: Final = 50
"""Artifacts of a repository that are deleted under one lock: whoever pushes to its project waits for the end of it."""
_IN_FLIGHT: Final = 4
"""Requests to the registry at once: half of the client's connections, so that others have theirs."""
_SWEEPS: Final = 10


def delete_artifact(
    sessions: Sessions,
    registry: RegistryClient,
    *,
    repository: RepositoryName,
    reference: TagName | Digest,
    context: EventContext,
) -> None:
    """Delete an artifact with all its tags; with an index go its children that have no tag and no other index.

    What is about any of them, a signature, goes too, tagged or not.
    Raises NotFound, TagIsImmutable, PreconditionFailed where an index refers to it, RegistryUnavailable.
    """
    with sessions.begin() as session:
        artifact = get_artifact(session, repository, reference)
        if _has_parent(session, artifact.id):
            raise PreconditionFailed(f"{artifact.digest} is referenced by an index: delete that first")
        doomed = _with_dependents(session, artifact)
        for digest, relation in doomed.items():
            if relation is not _Relation.CHILD:
                refuse_immutable_manifest(session, registry, repository, digest)
        expected = _expect_deletions(session, repository, doomed, context)
    for (digest, relation), expectation_id in zip(doomed.items(), expected, strict=True):
        is_child = relation is _Relation.CHILD
        _delete_manifest(sessions, registry, repository, digest, expectation_id, context, unless_needed=is_child)


def delete_repository(
    sessions: Sessions, registry: RegistryClient, *, repository: RepositoryName, context: EventContext
) -> None:
    """Delete a repository with all its artifacts, a chunk after another, the newest first.

    Where it breaks off, by an error or a crash, what was deleted is told of and the rest is there to be deleted again.
    Raises NotFound, TagIsImmutable, RegistryUnavailable, Conflict where artifacts are pushed again and again meanwhile.
    """
    with sessions.begin() as session:
        repository_id = get_repository(session, repository).id
        refuse_immutable(session, repository)
    with ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="delete") as pool:
        for _ in range(_SWEEPS):
            _empty(sessions, registry, pool, repository, repository_id, context)
            if _remove_row(sessions, repository, context):
                return
    raise Conflict(f"{repository} is being pushed to: try again")


def delete_tag(
    sessions: Sessions,
    registry: RegistryClient,
    *,
    repository: RepositoryName,
    reference: TagName | Digest | None,
    tag: TagName,
    context: EventContext,
) -> None:
    """Take a tag off the artifact that `reference` names; the artifact and its other tags stay.

    Without a reference it is whatever the tag names at the registry, if the catalogue has not heard of it too.
    Distribution 2.8 cannot delete by tag: the tag is put on a manifest made for this, which is deleted by its digest.
    Raises NotFound, NoSuchProject, TagIsImmutable, Conflict where the tag is moved meanwhile, RegistryUnavailable.
    """
    expectation_id = uuid4()
    body = throwaway(expectation_id)
    stand_in = Digest.of(body)
    with sessions.begin() as session:
        if reference is None:
            observe(session, registry, repository, digests={}, tags={tag: datetime.now(UTC)})
        artifact = get_artifact(session, repository, reference or tag)
        if tag.text not in {each.name for each in artifact.tags}:
            raise NotFound(f"tag {tag} is not attached to {repository}@{artifact.digest}")
        refuse_immutable(session, repository, [tag.text])
        open_expectation(
            session,
            kind=Kind.DELETE,
            repository=repository,
            reference=tag,
            digest=stand_in,
            context=context,
            expectation_id=expectation_id,
        )
    with sessions.begin() as session:
        lock_repository(session, repository)
        take_on(session, expectation_id)
        held = registry.resolve(repository, tag)
        if held is not None and held.text != artifact.digest:
            raise Conflict(f"tag {tag} has just been moved to {held}")
        if held is not None:
            user_agent = _user_agent(context)
            if not registry.untag(repository, tag, user_agent=user_agent):
                registry.put_manifest(repository, tag, body, OCI_INDEX, user_agent=user_agent)
                registry.delete_manifest(repository, stand_in, user_agent=user_agent)
        changes = record(session, Truth(repository=repository, tags={tag: _state(None)}))
        _announce(session, repository, changes, expectation_id, context)


def create_tag(
    sessions: Sessions,
    registry: RegistryClient,
    *,
    repository: RepositoryName,
    reference: TagName | Digest,
    tag: TagName,
    context: EventContext,
) -> Tag:
    """Put a new tag on an artifact.

    Raises NotFound, Conflict where the repository has that tag already, RegistryUnavailable.
    """
    with sessions.begin() as session:
        artifact = get_artifact(session, repository, reference, with_tags=False)
        named = (tags.c.repository_id == artifact.repository_id, tags.c.name == tag.text)
        if session.scalar(select(exists().where(*named))):
            raise Conflict(f"tag {tag} already exists in {repository}")
        digest = Digest(artifact.digest)
        expectation_id = open_expectation(
            session, kind=Kind.PUT, repository=repository, reference=tag, digest=digest, context=context
        )
    with sessions.begin() as session:
        lock_repository(session, repository)
        if registry.resolve(repository, tag) is None:
            take_on(session, expectation_id)
            stored = registry.manifest(repository, digest)
            if stored is None:
                raise NotFound(f"artifact {repository}@{digest} not found")
            registry.put_manifest(repository, tag, stored.body, stored.media_type, user_agent=_user_agent(context))
            changes = record(session, Truth(repository=repository, tags={tag: _state(digest)}))
            event = TagCreated(
                project=repository.project,
                project_id=changes.project_id,
                repository=repository.text,
                tag=tag.text,
                digest=digest.text,
                origin=Origin.GATE,
            )
            emit(session, event, context=context)
            return get_tag(session, repository_id=artifact.repository_id, name=tag)
        refuse(session, expectation_id, by=SettledBy.GATE)
    raise Conflict(f"tag {tag} already exists in {repository}")


def _expect_deletions(
    session: Session, repository: RepositoryName, digests: Iterable[Digest], context: EventContext
) -> list[UUID]:
    return [
        open_expectation(
            session, kind=Kind.DELETE, repository=repository, reference=digest, digest=digest, context=context
        )
        for digest in digests
    ]


def _delete_manifest(
    sessions: Sessions,
    registry: RegistryClient,
    repository: RepositoryName,
    digest: Digest,
    expectation_id: UUID,
    context: EventContext,
    *,
    unless_needed: bool = False,
) -> None:
    """Delete at the registry, then in the catalogue, and tell of it; if it was gone already, for who was to tell."""
    with sessions.begin() as session:
        lock_repository(session, repository)
        if unless_needed and _is_needed(session, repository, digest):
            refuse(session, expectation_id, by=SettledBy.GATE)
            return
        take_on(session, expectation_id)
        deleted = registry.delete_manifest(repository, digest, user_agent=_user_agent(context))
        if not deleted:
            _tell_for_another(session, repository, digest, expectation_id, context)
        changes = record(session, Truth(repository=repository, gone=frozenset({digest})))
        if deleted:
            _announce(session, repository, changes, expectation_id, context)


def _empty(
    sessions: Sessions,
    registry: RegistryClient,
    pool: ThreadPoolExecutor,
    repository: RepositoryName,
    repository_id: int,
    context: EventContext,
) -> None:
    """Delete each artifact that the repository holds now; what is pushed meanwhile stays."""
    held = select(artifacts.c.id, artifacts.c.digest).where(artifacts.c.repository_id == repository_id)
    passed: int | None = None
    while True:
        rest = held if passed is None else held.where(artifacts.c.id < passed)
        with sessions.begin() as session:
            rows = session.execute(rest.order_by(artifacts.c.id.desc()).limit(_CHUNK)).all()
            doomed = [Digest(row.digest) for row in rows]
            expected = _expect_deletions(session, repository, doomed, context)
        if not rows:
            return
        _delete_chunk(sessions, registry, pool, repository, dict(zip(doomed, expected, strict=True)), context)
        passed = rows[-1].id


def _delete_chunk(
    sessions: Sessions,
    registry: RegistryClient,
    pool: ThreadPoolExecutor,
    repository: RepositoryName,
    expected: Mapping[Digest, UUID],
    context: EventContext,
) -> None:
    """Delete several at the registry at once, then those in the catalogue, and tell of each that was still there.

    After a request that fails no other is sent; what was not answered stays expected, for the reconciler to judge.
    """
    errors: list[BreakwaterError] = []

    def ask(digest: Digest) -> bool | None:
        if errors:
            return None
        try:
            return registry.delete_manifest(repository, digest, user_agent=_user_agent(context))
        except BreakwaterError as error:
            errors.append(error)
            return None

    with sessions.begin() as session:
        lock_repository(session, repository)
        mine = hold(session, expected.values())
        wanted = [digest for digest, expectation_id in expected.items() if expectation_id in mine]
        answers = dict(zip(wanted, pool.map(ask, wanted), strict=True))
        gone = [digest for digest, deleted in answers.items() if deleted is not None]
        for digest in gone:
            if not answers[digest]:
                _tell_for_another(session, repository, digest, expected[digest], context)
        changes = record(session, Truth(repository=repository, gone=frozenset(gone)))
        for digest in gone:
            settle(session, expected[digest], by=SettledBy.GATE)
            if answers[digest]:
                _announce(session, repository, _changes_of(changes, digest), expected[digest], context)
    if errors:
        raise errors[0]


def _tell_for_another(
    session: Session, repository: RepositoryName, digest: Digest, mine: UUID, context: EventContext
) -> None:
    """Tell of a deletion that somebody did and did not live to tell of: one's own, being later, would pass for it.

    What the catalogue has no more was told of when it was taken out.
    """
    if digest not in known_digests(session, repository, [digest]):
        return
    left = left_open(session, repository, digest, mine=mine, instance_id=context.instance_id)
    if left is not None and settle(session, left.id, by=SettledBy.RECONCILER):
        tell_deletion(session, left)


def _changes_of(changes: Changes, digest: Digest) -> Changes:
    """The part of them that one manifest's deletion made."""
    return Changes(
        project_id=changes.project_id,
        removed=tuple(each for each in changes.removed if each == digest),
        tags_removed=tuple(each for each in changes.tags_removed if each.digest == digest),
    )


def _remove_row(sessions: Sessions, repository: RepositoryName, context: EventContext) -> bool:
    """Whether the repository's row is gone now."""
    with sessions.begin() as session:
        lock_repository(session, repository)
        project_id = remove_repository(session, repository)
        if project_id is None:
            return not session.scalar(select(exists().where(repositories.c.name == repository.text)))
        event = RepositoryDeleted(project=repository.project, project_id=project_id, repository=repository.text)
        emit(session, event, context=context)
        return True


def _announce(
    session: Session, repository: RepositoryName, changes: Changes, expectation_id: UUID, context: EventContext
) -> None:
    cause = f"expected:{expectation_id}"
    announce_removal(session, repository, changes, context=context, origin=Origin.GATE, cause=cause)


def _state(digest: Digest | None) -> TagState:
    return TagState(digest=digest, since=datetime.now(UTC))


def _user_agent(context: EventContext) -> str:
    """Without the expectation's id: what the registry notifies of our own acts is dropped, we tell of them here."""
    return agent.carry(agent.OWN, request_id=context.request_id)


def _has_parent(session: Session, artifact_id: int) -> bool:
    return bool(session.scalar(select(exists().where(artifact_references.c.child_id == artifact_id))))


def _is_needed(session: Session, repository: RepositoryName, digest: Digest) -> bool:
    """Whether a tag or an index has come to need a child since its deletion was planned."""
    child = get_artifact(session, repository, digest)
    return bool(child.tags) or _has_parent(session, child.id)


def _with_dependents(session: Session, root: Artifact) -> dict[Digest, _Relation]:
    """The artifact, what only it needs below it, and what is about any of those; parents and subjects come first."""
    doomed = {Digest(root.digest): _Relation.SELF}
    ids = [root.id]
    level = ids
    mine, other, subject = artifact_references.alias("mine"), artifact_references.alias("other"), artifacts.alias()
    while level:
        needed = exists().where(other.c.child_id == artifacts.c.id, other.c.parent_id.not_in(ids))
        tagged = exists().where(tags.c.artifact_id == artifacts.c.id)
        child = exists().where(mine.c.parent_id.in_(level), mine.c.child_id == artifacts.c.id)
        about = exists().where(
            subject.c.id.in_(level),
            subject.c.repository_id == artifacts.c.repository_id,
            subject.c.digest == artifacts.c.subject,
        )
        rows = session.execute(
            select(artifacts.c.id, artifacts.c.digest, about.label("is_about"))
            .where(artifacts.c.repository_id == root.repository_id, artifacts.c.id.not_in(ids))
            .where(about | (child & ~tagged), ~needed)
        ).all()
        level = [row.id for row in rows]
        ids = ids + level
        doomed |= {Digest(row.digest): _Relation.ACCESSORY if row.is_about else _Relation.CHILD for row in rows}
    return doomed
