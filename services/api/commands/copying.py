"""Copying an artifact from one repository to another, within the registry: blobs are mounted, nothing travels."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.admission import Push, expect_push
from services.api.commands.announcement import announce_push
from services.api.commands.catalogue import lock_repository, record
from services.api.commands.expectation import take_on
from services.api.commands.observation import MAX_DEPTH, look
from services.api.queries.artifact import get_artifact
from shared.errors import NotFound
from shared.events import EventContext
from shared.events.definitions.artifact import Origin
from shared.names import Digest, RepositoryName, TagName
from shared.registry import agent
from shared.registry.client import RegistryClient, StoredManifest
from shared.registry.manifests import Index, parse

Sessions = sessionmaker[Session]

def copy_artifact(
    sessions: Sessions,
    registry: RegistryClient,
    *,
    source: RepositoryName,
    reference: TagName | Digest,
    target: RepositoryName,
    context: EventContext,
) -> Digest:
    """Store an artifact, what it needs and its tags in another repository; returns its digest.

    What is there already is left, and not told of as a push. What arrived stays where a later step fails; the same copy
    can be asked again. Raises NotFound, NoSuchProject, OverQuota, TagIsImmutable, UnreadableManifest,
    RegistryUnavailable.
    """
    with sessions() as session:
        artifact = get_artifact(session, source, reference)
    digest = Digest(artifact.digest)
    _copy(sessions, registry, source, digest, target, context, depth=0)
    stored = _read(registry, source, digest)
    for tag in (TagName(each.name) for each in artifact.tags):
        if registry.resolve(target, tag) != digest:
            _store(sessions, registry, target, tag, stored, context)
    return digest


def _copy(
    sessions: Sessions,
    registry: RegistryClient,
    source: RepositoryName,
    digest: Digest,
    target: RepositoryName,
    context: EventContext,
    *,
    depth: int,
) -> None:
    """Children before their index, blobs before their manifest; what is there already is left."""
    if registry.resolve(target, digest) is not None:
        return
    stored = _read(registry, source, digest)
    manifest = parse(stored.body, stored.media_type)
    if isinstance(manifest, Index):
        for child in manifest.children if depth < MAX_DEPTH else ():
            _copy(sessions, registry, source, child.digest, target, context, depth=depth + 1)
    else:
        for part in {manifest.config.digest, *(layer.digest for layer in manifest.layers)}:
            if registry.blob_size(source, part) is not None:
                registry.mount_blob(target, part, source=source)
    _store(sessions, registry, target, digest, stored, context)


def _read(registry: RegistryClient, repository: RepositoryName, digest: Digest) -> StoredManifest:
    stored = registry.manifest(repository, digest)
    if stored is None:
        raise NotFound(f"{repository}@{digest} is not in the registry")
    return stored


def _store(
    sessions: Sessions,
    registry: RegistryClient,
    repository: RepositoryName,
    reference: TagName | Digest,
    stored: StoredManifest,
    context: EventContext,
) -> None:
    """One manifest write: expected, sent, catalogued and told."""
    tag, now = reference if isinstance(reference, TagName) else None, datetime.now(UTC)
    push = Push(repository=repository, reference=reference, body=stored.body, media_type=stored.media_type)
    expectation_id = expect_push(sessions, registry, push, context=context)
    with sessions.begin() as session:
        lock_repository(session, repository)
        take_on(session, expectation_id)
        user_agent = agent.carry(agent.OWN, request_id=context.request_id)
        registry.put_manifest(repository, reference, stored.body, stored.media_type, user_agent=user_agent)
        truth = look(session, registry, repository, digests={stored.digest: now}, tags={tag: now} if tag else {})
        changes = record(session, truth)
        announce_push(
            session,
            repository,
            stored.digest,
            tag,
            context=context,
            origin=Origin.GATE,
            project_id=changes.project_id,
            media_type=stored.media_type,
            size=len(stored.body),
        )
