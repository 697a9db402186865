"""Events about what the catalogue learned by itself, or what the API has done at the registry."""

from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy.orm import Session

from services.api.domain.observation import Changes
from shared.events import EventContext, emit
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPushed, Origin
from shared.events.definitions.tag import TagDeleted
from shared.names import Digest, RepositoryName, TagName


def announce_push(
    session: Session,
    repository: RepositoryName,
    digest: Digest,
    tag: TagName | None,
    *,
    context: EventContext,
    origin: Origin,
    event_id: UUID | None = None,
    project_id: int | None = None,
    media_type: str | None = None,
    size: int | None = None,
    time: datetime | None = None,
) -> None:
    """A manifest was stored."""
    event = ArtifactPushed(
        project=repository.project,
        project_id=project_id,
        repository=repository.text,
        digest=digest.text,
        tag=tag.text if tag else None,
        media_type=media_type,
        size=size,
        origin=origin,
    )
    emit(session, event, context=context, event_id=event_id, time=time)


def announce_removal(
    session: Session,
    repository: RepositoryName,
    changes: Changes,
    *,
    context: EventContext,
    origin: Origin,
    cause: str,
    time: datetime | None = None,
) -> None:
    """Artifacts and tags that are gone, one event each; `cause` makes their ids, so that a repetition counts once."""
    for digest in changes.removed:
        deleted = ArtifactDeleted(
            project=repository.project,
            project_id=changes.project_id,
            repository=repository.text,
            digest=digest.text,
            origin=origin,
        )
        emit(session, deleted, context=context, event_id=uuid5(context.instance_id, f"{cause}:{digest}"), time=time)
    for change in changes.tags_removed:
        untagged = TagDeleted(
            project=repository.project,
            project_id=changes.project_id,
            repository=repository.text,
            tag=change.tag.text,
            digest=change.digest.text,
            origin=origin,
        )
        event_id = uuid5(context.instance_id, f"{cause}:tag:{change.tag}")
        emit(session, untagged, context=context, event_id=event_id, time=time)
