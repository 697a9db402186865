"""What a target is sent: Harbor's own form, CloudEvents 1.0, or a message for Slack. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from services.webhook.domain.policy import EventType, PayloadFormat
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactEvent, ArtifactPulled, ArtifactPushed
from shared.events.definitions.quota import QuotaEvent, QuotaExceeded, QuotaWarned
from shared.events.definitions.replication import ReplicationTaskFinished
from shared.events.definitions.retention import RetentionFinished
from shared.events.envelope import Envelope
from shared.events.event import Event

_TYPES: Final[Mapping[type[Event], EventType]] = MappingProxyType(
    {
        ArtifactPushed: EventType.PUSH_ARTIFACT,
        ArtifactPulled: EventType.PULL_ARTIFACT,
        ArtifactDeleted: EventType.DELETE_ARTIFACT,
        QuotaExceeded: EventType.QUOTA_EXCEED,
        QuotaWarned: EventType.QUOTA_WARNING,
        ReplicationTaskFinished: EventType.REPLICATION,
        RetentionFinished: EventType.TAG_RETENTION,
    }
)
_CLOUD_EVENT_TYPES: Final[Mapping[EventType, str]] = MappingProxyType(
    {
        EventType.PUSH_ARTIFACT: "harbor.artifact.pushed",
        EventType.PULL_ARTIFACT: "harbor.artifact.pulled",
        EventType.DELETE_ARTIFACT: "harbor.artifact.deleted",
        EventType.QUOTA_EXCEED: "harbor.quota.exceeded",
        EventType.QUOTA_WARNING: "harbor.quota.warned",
        EventType.REPLICATION: "harbor.replication.status.changed",
        EventType.TAG_RETENTION: "harbor.tag_retention.finished",
    }
)
Told = ArtifactEvent | QuotaEvent | ReplicationTaskFinished | RetentionFinished
"""The events that webhooks may tell of: they name their project."""
CONTENT_TYPES: Final[Mapping[PayloadFormat, str]] = MappingProxyType(
    {
        PayloadFormat.DEFAULT: "application/json",
        PayloadFormat.CLOUD_EVENTS: "application/cloudevents+json",
        PayloadFormat.SLACK: "application/json",
    }
)
_STATUS: Final[Mapping[str, str]] = MappingProxyType(
    {"succeeded": "Success", "failed": "Error", "stopped": "Stopped"}
)
_TRIGGERS: Final[Mapping[str, str]] = MappingProxyType(
    {"manual": "MANUAL", "scheduled": "SCHEDULE", "event_based": "EVENT"}
)
_SLACK_TEXT_LIMIT: Final = 2_900
"""Slack takes 3,000 characters in a block."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What an event does not say itself of the place where it happened."""

    host: str
    """The registry as clients name it, with its port."""
    public: bool
    repository_created_at: datetime | None
    """None where the catalogue does not know the repository, or not yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """An event as webhooks tell of it."""

    event_id: UUID
    type: EventType
    time: datetime
    operator: str
    request_id: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """A body and its type."""

    content_type: str
    body: str


def event_type_of(event: Event) -> EventType | None:
    """What webhooks call an event; None where they do not tell of it.

    Replication's own pulls are nobody's news, and after a dry run of retention nothing has happened.
    """
    if (isinstance(event, ArtifactPulled) and not event.counted) or (
        isinstance(event, RetentionFinished) and event.dry_run
    ):
        return None
    return _TYPES.get(type(event))


def notice_of(envelope: Envelope, place: Place) -> Notice | None:
    """The notice of an event; None where webhooks do not tell of it."""
    event, type_ = envelope.event, event_type_of(envelope.event)
    if type_ is None or not isinstance(event, Told):
        return None
    return Notice(
        event_id=envelope.id,
        type=type_,
        time=envelope.time,
        operator=envelope.actor.name,
        request_id=envelope.request_id or "",
        data=_data(event, envelope.time, place),
    )


def repository_of(event: Told) -> str | None:
    """The full name of the repository that an event is about; None where it is about the project, or about two."""
    return None if isinstance(event, RetentionFinished | ReplicationTaskFinished) else event.repository


def render(notice: Notice, form: PayloadFormat, *, project_id: int, policy_id: int) -> Payload:
    """The payload of a notice in a target's format."""
    match form:
        case PayloadFormat.CLOUD_EVENTS:
            body = _cloud_event(notice, f"/projects/{project_id}/webhook/policies/{policy_id}")
        case PayloadFormat.SLACK:
            body = _slack(notice)
        case PayloadFormat.DEFAULT:
            body = _default(notice)
    return Payload(content_type=CONTENT_TYPES[form], body=_json(body))


def notice_in(payload: Payload, type_: EventType, *, event_id: UUID, request_id: str) -> Notice | None:
    """The notice that a payload for an HTTP target was made of; None where it is none of ours."""
    try:
        told = json.loads(payload.body)
        if payload.content_type == CONTENT_TYPES[PayloadFormat.CLOUD_EVENTS]:
            time, data = datetime.fromisoformat(told["time"]), told["data"]
        else:
            time, data = datetime.fromtimestamp(told["occur_at"], UTC), told["event_data"]
        operator = told.get("operator", "")
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return Notice(event_id=event_id, type=type_, time=time, operator=operator, request_id=request_id, data=data)


def _data(event: Told, time: datetime, place: Place) -> dict[str, Any]:
    match event:
        case ArtifactEvent():
            return _artifact_data(event, time, place)
        case QuotaEvent():
            return _quota_data(event, place)
        case RetentionFinished():
            return {"retention": _retention(event, place)}
        case ReplicationTaskFinished():
            return {"replication": _replication(event, place)}


def _artifact_data(event: ArtifactEvent, time: datetime, place: Place) -> dict[str, Any]:
    tag = event.tag or event.digest
    joint = ":" if event.tag else "@"
    created_at = place.repository_created_at
    if created_at is None and isinstance(event, ArtifactPushed):
        created_at = time  # its first push: the catalogue takes it in at this moment
    resource_url = f"{place.host}/{event.repository}{joint}{tag}"
    return {
        "resources": [{"digest": event.digest, "tag": tag, "resource_url": resource_url}],
        "repository": _repository(event.repository, place, created_at),
    }


def _quota_data(event: QuotaEvent, place: Place) -> dict[str, Any]:
    details = event.detail if isinstance(event, QuotaExceeded) else _warning(event)
    return {
        "repository": _repository(event.repository, place, place.repository_created_at),
        "custom_attributes": {"Details": details},
    }


def _warning(event: QuotaEvent) -> str:
    percent = 100 * event.used // event.limit if event.limit > 0 else 100
    return f"the project uses {event.used} of {event.limit} bytes of its quota, {percent} per cent"


def _retention(event: RetentionFinished, place: Place) -> dict[str, Any]:
    deleted = [{"type": "image", "status": "SUCCESS", "name_tag": name} for name in event.deleted_artifacts]
    return {
        "total": event.total,
        "retained": event.retained,
        "harbor_hostname": place.host,
        "project_name": event.project,
        "retention_policy_id": event.policy_id,
        "retention_rule": [json.loads(rule) for rule in event.rules],
        "result": event.status.upper(),
        "deleted_artifact": deleted,
    }


def _replication(event: ReplicationTaskFinished, place: Place) -> dict[str, Any]:
    here = {"registry_type": "harbor", "endpoint": place.host}
    there = {
        "registry_name": event.registry, "registry_type": event.registry_kind, "endpoint": event.registry_url,
    }  # fmt: skip
    source, target = (here, there) if event.pushed else (there, here)
    artifact = {
        "type": event.kind,
        "status": _STATUS[event.state],
        "name_tag": event.subject.removeprefix(_namespace(event.target)).lstrip("/"),
        "references": list(event.tags),
    }
    return {
        "harbor_hostname": place.host,
        "job_status": _STATUS[event.state],
        "description": event.message,
        "artifact_type": event.kind,
        "authentication_type": "basic",
        "override_mode": event.override,
        "trigger_type": _TRIGGERS[event.trigger],
        "policy_creator": event.creator,
        "execution_timestamp": int(datetime.fromisoformat(event.began).timestamp()),
        "src_resource": source | {"namespace": _namespace(event.source)},
        "dest_resource": target | {"namespace": _namespace(event.target)},
        "successful_artifact" if event.state == "succeeded" else "failed_artifact": [artifact],
        "execution_id": event.execution_id,
        "task_id": event.task_id,
    }


def _namespace(repository: str) -> str:
    return repository.rpartition("/")[0]


def _repository(full_name: str, place: Place, created_at: datetime | None) -> dict[str, Any]:
    project, _, name = full_name.partition("/")
    created = {} if created_at is None else {"date_created": int(created_at.timestamp())}
    return created | {
        "name": name,
        "namespace": project,
        "repo_full_name": full_name,
        "repo_type": "public" if place.public else "private",
    }


def _default(notice: Notice) -> dict[str, Any]:
    return {
        "type": notice.type.value,
        "occur_at": int(notice.time.timestamp()),
        "operator": notice.operator,
        "event_data": notice.data,
    }


def _cloud_event(notice: Notice, source: str) -> dict[str, Any]:
    """Extension attributes are texts that are not empty: what is not known is left out."""
    extensions = {"operator": notice.operator, "requestid": notice.request_id}
    return {
        "specversion": "1.0",
        "id": str(notice.event_id),
        "source": source,
        "type": _CLOUD_EVENT_TYPES[notice.type],
        "datacontenttype": "application/json",
        "time": notice.time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": notice.data,
    } | {name: value for name, value in extensions.items() if value}


def _slack(notice: Notice) -> dict[str, Any]:
    second = int(notice.time.timestamp())
    written = notice.time.astimezone(UTC).strftime("%B %d, %Y at %H:%M UTC")
    data = json.dumps(notice.data, ensure_ascii=False, indent=2).replace("`", "'")
    texts = (
        "*Breakwater webhook events*",
        f"*event_type:* {notice.type}",
        f"*occur_at:* <!date^{second}^{{date}} at {{time}}|{written}>",
        f"*operator:* {_escaped(notice.operator)}",
        "*event_data:*",
        f"```{_escaped(data)[:_SLACK_TEXT_LIMIT]}```",
    )
    return {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]}


def _escaped(text: str) -> str:
    """The three characters that Slack reads as its own: a name cannot become a link or call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
