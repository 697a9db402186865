"""Admitting a manifest write: what the project's quota and its immutable tags say, before the registry is asked.

The write is committed as expected together with what it was admitted for. In a project with rules, writes to one
repository are admitted one after the other, so that none of two that exclude each other is overlooked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select, text
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.catalogue import known_sizes
from services.api.commands.expectation import Kind, SettledBy, open_expectation, refuse, unanswered
from services.api.commands.immutability import refuse_immutable_manifest, take_turns
from services.api.commands.observation import measured
from services.api.commands.quota import is_limited, note_arrival, note_departure, reserve
from services.api.domain.immutability import immutable_among
from services.api.domain.referrer import subject_of
from services.api.errors import OverQuota, TagIsImmutable
from services.api.queries.immutability import rules_of
from services.api.tables import projects
from shared.errors import Conflict
from shared.events import EventContext, emit
from shared.events.definitions.quota import QuotaExceeded
from shared.names import Digest, RepositoryName, TagName
from shared.registry.client import RegistryClient
from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import Manifest, Stored, parse

Sessions = sessionmaker[Session]

_EXCLUDING: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM events.expected
        WHERE state = 'open' AND repository = :repository
          AND ((kind = 'put' AND reference = :reference AND digest <> :digest)
               OR (kind = 'delete' AND (digest = :digest OR reference = :reference)))
    )
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """A manifest on its way to the registry."""

    repository: RepositoryName
    reference: TagName | Digest
    body: bytes
    media_type: str

    @property
    def subject(self) -> Digest | None:
        """What the manifest says it is about."""
        return subject_of(self.body, self.media_type)

    @property
    def digest(self) -> Digest:
        """Of the body, whatever the reference says."""
        return Digest.of(self.body)


def expect_push(sessions: Sessions, registry: RegistryClient, push: Push, *, context: EventContext) -> UUID:
    """Commit a push as expected; returns its number, that of the first where the proxy has sent it again.

    Raises NoSuchProject, OverQuota, TagIsImmutable, Conflict where another write that excludes it is under way, and
    RegistryUnavailable.
    """
    needs = _storage_needs(sessions, registry, push)
    expectation_id = uuid4()
    try:
        with sessions.begin() as session:
            held_fast = _is_held_fast(session, push)
            if held_fast:
                _exclude(session, push)
            known = unanswered(session, push.repository, push.reference, push.digest, context)
            if not known:
                _count_in(session, push, needs, expectation_id, context)
            expectation_id = known or open_expectation(
                session,
                kind=Kind.PUT,
                repository=push.repository,
                reference=push.reference,
                digest=push.digest,
                context=context,
                media_type=push.media_type,
                size=len(push.body),
                subject=push.subject,
                expectation_id=expectation_id,
            )
    except OverQuota as denial:
        _tell_exceeded(sessions, push.repository, denial, context)
        raise
    if held_fast:
        _refuse_to_move(sessions, registry, push, expectation_id)
    return expectation_id


def expect_deletion(
    sessions: Sessions,
    registry: RegistryClient,
    *,
    repository: RepositoryName,
    digest: Digest,
    context: EventContext,
) -> UUID:
    """Commit a manifest's deletion as expected; returns its number. A tag alone is taken off by `delete_tag`.

    Raises NoSuchProject, TagIsImmutable where it would take an immutable tag away, and RegistryUnavailable.
    """
    with sessions.begin() as session:
        refuse_immutable_manifest(session, registry, repository, digest)
        expectation_id = open_expectation(
            session, kind=Kind.DELETE, repository=repository, reference=digest, digest=digest, context=context
        )
        note_departure(session, repository, expectation_id=expectation_id, manifest=digest)
        return expectation_id


@dataclass(frozen=True, kw_only=True, slots=True)
class _Needs:
    """The blobs a manifest needs with their sizes, itself among them."""

    blobs: Mapping[Digest, int]
    judged: bool
    """Whether the project has a limit: the sizes are measured then, else they are what the manifest claims."""


def _count_in(session: Session, push: Push, needs: _Needs, expectation_id: UUID, context: EventContext) -> None:
    """Keep room for a push. Raises OverQuota."""
    repository, manifest, blobs = push.repository, push.digest, needs.blobs
    if needs.judged:
        reserve(
            session, repository, expectation_id=expectation_id, manifest=manifest, needs=blobs, context=context
        )
    else:
        note_arrival(session, repository, expectation_id=expectation_id, manifest=manifest, needs=blobs)


def _storage_needs(sessions: Sessions, registry: RegistryClient, push: Push) -> _Needs:
    """What a manifest needs; the registry is asked with no connection to the database in hand: it may be slow."""
    try:
        manifest = parse(push.body, push.media_type)
    except UnreadableManifest:
        manifest = None
    with sessions() as session:
        if not is_limited(session, push.repository.project):
            return _Needs(blobs={push.digest: len(push.body), **_claimed(manifest)}, judged=False)
        known = known_sizes(session, push.repository, manifest.parts) if isinstance(manifest, Manifest) else {}
    blobs = measured(registry, push.repository, manifest, known) if isinstance(manifest, Manifest) else {}
    return _Needs(blobs={push.digest: len(push.body), **blobs}, judged=True)


def _claimed(manifest: Stored | None) -> dict[Digest, int]:
    """What an image says of its blobs, but for those that it may leave elsewhere."""
    parts = (manifest.config, *manifest.layers) if isinstance(manifest, Manifest) else ()
    return {part.digest: part.size for part in parts if not part.is_elsewhere}


def _is_held_fast(session: Session, push: Push) -> bool:
    """Whether the tag that is pushed may be set once only."""
    if not isinstance(push.reference, TagName):
        return False
    rules = rules_of(session, push.repository.project)
    return bool(immutable_among(rules, push.repository, [push.reference.text]))


def _exclude(session: Session, push: Push) -> None:
    take_turns(session, push.repository)
    named = {"repository": push.repository.text, "reference": push.reference.text, "digest": push.digest.text}
    if session.scalar(_EXCLUDING, named):
        raise Conflict(f"another write of {push.repository}:{push.reference} is under way: try again in a moment")


def _refuse_to_move(sessions: Sessions, registry: RegistryClient, push: Push, expectation_id: UUID) -> None:
    """Asked after the expectation is committed: whoever writes the tag from now on sees it."""
    held = registry.resolve(push.repository, push.reference)
    if held is None or held == push.digest:
        return
    with sessions.begin() as session:
        refuse(session, expectation_id, by=SettledBy.GATE)
    raise TagIsImmutable(push.repository, push.reference.text)


def _tell_exceeded(
    sessions: Sessions, repository: RepositoryName, denial: OverQuota, context: EventContext
) -> None:
    with sessions.begin() as session:
        project = session.execute(
            select(projects.c.id, projects.c.storage_limit, projects.c.storage_used).where(
                projects.c.name == repository.project, projects.c.deleted_at.is_(None)
            )
        ).one_or_none()
        if project is not None:
            event = QuotaExceeded(
                project=repository.project,
                project_id=project.id,
                repository=repository.text,
                limit=project.storage_limit,
                used=project.storage_used,
                detail=denial.sentence,
            )
            emit(session, event, context=context)
