"""What a notification means: which event it becomes, or that it is nobody's business. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from services.webhook.domain.notification import Action, Notification
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled, ArtifactPushed
from shared.events.definitions.tag import TagDeleted
from shared.events.envelope import ActorKind, EventContext
from shared.events.event import Event

OWN_READER: Final = "system:metadata"
"""It looks after the registry; what it does there is no event, unless it acts on somebody's behalf through the gate."""
UNCOUNTED_READER: Final = "system:replication"
"""Its pulls are events that do not count as pulls."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """The gate's expectation that a notification answers, if it is about the same manifest."""

    id: UUID
    kind: str
    repository: str
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """An event that the registry has noticed."""

    id: UUID
    """Derived from the notification's own id: the same notification is the same event."""
    event: Event
    context: EventContext
    time: datetime
    settlement: Settlement | None
    on_behalf: bool
    """The system acted: it is an event only where the gate expected it, and whoever asked the gate is its actor."""


def observe(notification: Notification, *, instance_id: UUID) -> Observation | None:
    """The event of a notification; None for blobs, mounts, HEAD requests and the system's own reads."""
    if notification.of_blob or (notification.action is Action.PULL and notification.method != "GET"):
        return None
    on_behalf = notification.actor.name == OWN_READER and notification.actor.kind is ActorKind.SYSTEM
    settlement = _settlement(notification)
    if on_behalf and settlement is None:
        return None
    event = _event(notification)
    if event is None:
        return None
    return Observation(
        id=uuid5(instance_id, notification.id),
        event=event,
        context=EventContext(
            instance_id=instance_id,
            actor=notification.actor,
            request_id=notification.request_id,
            address=notification.address,
            user_agent=notification.user_agent,
        ),
        time=notification.time,
        settlement=settlement,
        on_behalf=on_behalf,
    )


def _event(notification: Notification) -> Event | None:
    repository = notification.repository
    tag = notification.tag.text if notification.tag else None
    if notification.digest is None:
        if tag is None:
            return None
        return TagDeleted(project=repository.project, repository=repository.text, tag=tag)
    digest = notification.digest.text
    if notification.action is Action.DELETE:
        return ArtifactDeleted(project=repository.project, repository=repository.text, digest=digest, tag=tag)
    if notification.action is Action.PUSH:
        return ArtifactPushed(
            project=repository.project,
            repository=repository.text,
            digest=digest,
            tag=tag,
            media_type=notification.media_type,
            size=notification.size,
        )
    return ArtifactPulled(
        project=repository.project,
        repository=repository.text,
        digest=digest,
        tag=tag,
        media_type=notification.media_type,
        size=notification.size,
        counted=notification.actor.name != UNCOUNTED_READER,
    )


def _settlement(notification: Notification) -> Settlement | None:
    """Pushes and deletions by digest answer the gate; a deleted tag follows from the digest's deletion."""
    if notification.gate is None or notification.digest is None:
        return None
    kind = {Action.PUSH: "put", Action.DELETE: "delete"}.get(notification.action)
    if kind is None:
        return None
    return Settlement(
        id=notification.gate, kind=kind, repository=notification.repository.text, digest=notification.digest.text
    )
