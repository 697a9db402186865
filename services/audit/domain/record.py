"""An audit record, and how an event becomes one.

The words for operations and resource types are those of Harbor's audit API, and a few of our own beside them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.events.catalogue import DEFINITIONS
from shared.events.definitions.artifact import ArtifactPulled
from shared.events.definitions.audit import AuditPurged
from shared.events.definitions.configuration import ConfigurationUpdated
from shared.events.definitions.dead_letter import DeadLettersDiscarded, DeadLettersRedriven
from shared.events.definitions.garbage_collection import GarbageCollectionFinished, GarbageCollectionStarted
from shared.events.definitions.label import LabelAttached, LabelDetached, LabelUpdated
from shared.events.definitions.member import MemberCreated, MemberDeleted, MemberUpdated
from shared.events.definitions.parked_notification import ParkedNotificationAccepted, ParkedNotificationDiscarded
from shared.events.definitions.project import ProjectUpdated
from shared.events.definitions.quota import QuotaExceeded
from shared.events.definitions.refresh_token import RefreshTokenCreated
from shared.events.definitions.registry import RegistryUpdated
from shared.events.definitions.replication import (
    ReplicationFinished,
    ReplicationProgressed,
    ReplicationStarted,
    ReplicationTaskFinished,
)
from shared.events.definitions.replication_policy import ReplicationPolicyUpdated
from shared.events.definitions.retention import RetentionFinished
from shared.events.definitions.robot import RobotUpdated
from shared.events.definitions.user import UserLoggedIn, UserLoginFailed, UserPasswordChanged, UserUpdated
from shared.events.definitions.webhook_policy import WebhookPolicyUpdated
from shared.events.envelope import ActorKind, Envelope
from shared.events.event import Event, printable

ANONYMOUS: Final = "anonymous"


class Operation(StrEnum):
    """What was done."""

    CREATE = "create"
    """Something came into being; of an artifact, a push."""
    DELETE = "delete"
    """Something was deleted or revoked."""
    PULL = "pull"
    """An artifact was read."""
    UPDATE = "update"
    """Something was changed."""
    LOGIN = "login"
    """Somebody signed in, or tried to."""


_OPERATIONS: Final = {
    "pushed": Operation.CREATE,
    "created": Operation.CREATE,
    "started": Operation.CREATE,
    "pulled": Operation.PULL,
    "deleted": Operation.DELETE,
    "revoked": Operation.DELETE,
    "purged": Operation.DELETE,
    "discarded": Operation.DELETE,
    "updated": Operation.UPDATE,
    "attached": Operation.UPDATE,
    "detached": Operation.UPDATE,
    "rotated": Operation.UPDATE,
    "password_changed": Operation.UPDATE,
    "exceeded": Operation.UPDATE,
    "warned": Operation.UPDATE,
    "finished": Operation.UPDATE,
    "redriven": Operation.UPDATE,
    "accepted": Operation.UPDATE,
    "logged_in": Operation.LOGIN,
    "login_failed": Operation.LOGIN,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a record says, before it has a place in the chain. The order of the fields is the order that is hashed."""

    event_id: UUID
    event_type: str
    occurred_at: datetime
    actor: str
    actor_kind: ActorKind
    operation: Operation
    resource_type: str
    resource: str
    project_id: int | None
    project: str | None
    repository: str | None
    digest: str | None
    tag: str | None
    address: str
    client: str
    request_id: str
    succeeded: bool
    occurrences: int
    description: str


def is_recorded(event: type[Event]) -> bool:
    """Whether events of this kind are for the record: what only tells how far something is, is not."""
    return event is not ReplicationProgressed


def entry_of(envelope: Envelope) -> Entry:
    """The record of an event."""
    event = envelope.event
    failed = isinstance(event, UserLoginFailed | QuotaExceeded) or getattr(event, "state", "") == "failed"
    actor = printable(envelope.actor.name)
    if isinstance(event, UserLoginFailed):
        actor = printable(event.username)
    elif envelope.actor.kind is ActorKind.ANONYMOUS:
        actor = ANONYMOUS
    return Entry(
        event_id=envelope.id,
        event_type=event.type,
        occurred_at=envelope.time,
        actor=actor,
        actor_kind=envelope.actor.kind,
        operation=_OPERATIONS[event.verb],
        resource_type=event.noun,
        resource=printable(event.subject),
        project_id=getattr(event, "project_id", None),
        project=event.project_name,
        repository=getattr(event, "repository", None),
        digest=getattr(event, "digest", None),
        tag=getattr(event, "tag", None),
        address=printable(envelope.address or ""),
        client=printable(envelope.user_agent or ""),
        request_id=printable(envelope.request_id or ""),
        succeeded=not failed,
        occurrences=max(event.count, 1) if isinstance(event, UserLoginFailed) else 1,
        description=printable(describe(event)),
    )


def describe(event: Event) -> str:  # noqa: C901, PLR0911, PLR0912 - a table of events, a line each
    """The event in a few words, with what the other columns do not say."""
    match event:
        case UserLoginFailed():
            return f"{event.count} failed login{'s' if event.count > 1 else ''} of {event.username}"
        case UserLoggedIn():
            return f"login of {event.username} by {event.method}"
        case UserPasswordChanged():
            return f"change the password of {event.username}"
        case UserUpdated(disabled=True):
            return f"disable user {event.username}"
        case UserUpdated(disabled=False):
            return f"enable user {event.username}"
        case (
            UserUpdated() | ProjectUpdated() | RobotUpdated() | LabelUpdated() | ConfigurationUpdated()
            | WebhookPolicyUpdated() | RegistryUpdated() | ReplicationPolicyUpdated()
        ):  # fmt: skip
            return f"update {event.noun.replace('_', ' ')} {event.subject}: {', '.join(event.changed)}"
        case MemberCreated():
            return f"add {event.kind} {event.member} to {event.project} as {event.role}"
        case MemberUpdated():
            return f"make {event.kind} {event.member} of {event.project} {event.role}"
        case MemberDeleted():
            return f"remove {event.kind} {event.member} from {event.project}"
        case LabelAttached():
            return f"put label {event.label} on {event.subject}"
        case LabelDetached():
            return f"take label {event.label} off {event.subject}"
        case ArtifactPulled() if not event.counted:
            return f"pull artifact {event.subject} for replication"
        case QuotaExceeded():
            return f"push to {event.repository} refused: {event.detail}"
        case RetentionFinished():
            went = "would be deleted" if event.dry_run else "deleted"
            return f"retention of {event.project}, {event.status}: {event.deleted} of {event.total} artifacts {went}"
        case ReplicationStarted():
            what = "dry run of replication" if event.dry_run else "replication"
            return f"start {what} {event.subject} for {event.operator}, {event.trigger}"
        case ReplicationFinished():
            what = "dry run of replication" if event.dry_run else "replication"
            return f"{what} {event.subject}, {event.state}: {event.succeeded} of {event.total} tasks succeeded"
        case ReplicationTaskFinished():
            way = "to" if event.pushed else "from"
            why = f": {event.fault}" if event.fault else ""
            return f"{event.operation} of {event.subject} {way} registry {event.registry}, {event.state}{why}"
        case DeadLettersRedriven():
            return f"give {_letters(event.count)} back to {event.queue}"
        case DeadLettersDiscarded():
            return f"throw {_letters(event.count)} of {event.queue} away"
        case ParkedNotificationAccepted():
            return f"take a parked notification in, {event.events} new events; it was parked as {event.reason}"
        case ParkedNotificationDiscarded():
            return f"throw a parked notification away; it was parked as {event.reason}"
        case RefreshTokenCreated():
            return f"make refresh token {event.client_id} of {event.username}"
        case AuditPurged():
            return f"purge {event.records} records from before {event.older_than}"
        case GarbageCollectionStarted():
            return f"start {'dry run of ' if event.dry_run else ''}garbage collection {event.subject}, {event.trigger}"
        case GarbageCollectionFinished():
            what = f"{event.blobs} blobs of {event.freed} bytes {'would go' if event.dry_run else 'went'}"
            return f"garbage collection {event.subject}, {event.state}: {what}"
        case _:
            return f"{_OPERATIONS[event.verb]} {event.noun.replace('_', ' ')} {event.subject}"


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count} dead letters"


def event_types() -> list[str]:
    """Every kind of record there can be, in Harbor's words: `create_artifact`, `login_user`."""
    return sorted({f"{_OPERATIONS[each.verb]}_{each.noun}" for each in DEFINITIONS if is_recorded(each)})
