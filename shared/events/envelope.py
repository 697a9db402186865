"""The envelope of an event: CloudEvents 1.0 in its structured JSON form, built and parsed without I/O.

Specification: CloudEvents 1.0.2 core, JSON event format and the distributed tracing extension.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from shared.events.catalogue import BY_TYPE
from shared.events.event import Event, InvalidEvent, printable

CONTENT_TYPE: Final = "application/json"
SPEC_VERSION: Final = "1.0"
USER_AGENT_LIMIT: Final = 512
NAME_LIMIT: Final = 255
SHORT_TEXT_LIMIT: Final = 128


class ActorKind(StrEnum):
    """What somebody who acts is."""

    USER = "user"
    """A person's account."""
    ROBOT = "robot"
    """A robot account."""
    ANONYMOUS = "anonymous"
    """Nobody had signed in."""
    SYSTEM = "system"
    """A part of Breakwater itself."""


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did it."""

    kind: ActorKind
    name: str


@dataclass(frozen=True, kw_only=True)
class EventContext:
    """What surrounds an event: which instance, who, from where, in which request."""

    instance_id: UUID
    actor: Actor
    request_id: str | None = None
    address: str | None = None
    user_agent: str | None = None
    traceparent: str | None = None

    @property
    def source(self) -> str:
        """The CloudEvents source of this instance."""
        return f"/breakwater/{self.instance_id}"


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """An event as it travels."""

    id: UUID
    source: str
    time: datetime
    subject: str
    actor: Actor
    event: Event
    sequence: int | None
    request_id: str | None
    address: str | None
    user_agent: str | None
    traceparent: str | None


def schema_urn(definition: type[Event]) -> str:
    """The name of the JSON Schema of an event's data."""
    return f"urn:breakwater:schema:{definition.noun}.{definition.verb}.v{definition.version}"


def build(event: Event, *, context: EventContext, event_id: UUID, time: datetime) -> dict[str, Any]:
    """The envelope as JSON values. Foreign text is made printable and cut to its limit."""
    body: dict[str, Any] = {
        "specversion": SPEC_VERSION,
        "id": str(event_id),
        "source": context.source,
        "type": event.type,
        "subject": printable(event.subject),
        "time": rfc3339(time),
        "datacontenttype": CONTENT_TYPE,
        "dataschema": schema_urn(type(event)),
        "actor": _foreign(context.actor.name, NAME_LIMIT),
        "actorkind": context.actor.kind.value,
    }
    if context.traceparent:
        body["traceparent"] = _foreign(context.traceparent, SHORT_TEXT_LIMIT)
    client = {
        "address": _foreign(context.address, SHORT_TEXT_LIMIT),
        "user_agent": _foreign(context.user_agent, USER_AGENT_LIMIT),
    }
    body["data"] = {**event.data(), "request_id": _foreign(context.request_id, SHORT_TEXT_LIMIT), "client": client}
    return body


def encode(body: Mapping[str, Any]) -> str:
    """The JSON text of an envelope."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def decode(text: bytes | str) -> Envelope:
    """Parse the JSON text of an envelope. Raises InvalidEvent."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("the event is not JSON") from error
    return parse(body)


def parse(body: object) -> Envelope:
    """Read an envelope; attributes and fields this version does not know are passed over.

    Raises InvalidEvent where the type is unknown or an attribute is missing or malformed.
    """
    if not isinstance(body, dict):
        raise InvalidEvent("the event is not a JSON object")
    definition = BY_TYPE.get(_text(body, "type"))
    if definition is None:
        raise InvalidEvent(f"no event has the type {body['type'][:80]!r}")
    if body.get("specversion") != SPEC_VERSION:
        raise InvalidEvent(f"the event's specversion is not {SPEC_VERSION}")
    data = body.get("data")
    if not isinstance(data, dict):
        raise InvalidEvent("the event has no data")
    client = data.get("client")
    if not isinstance(client, dict):
        client = {}
    try:
        return Envelope(
            id=UUID(_text(body, "id")),
            source=_text(body, "source"),
            time=_moment(_text(body, "time")),
            subject=_text(body, "subject"),
            actor=Actor(kind=ActorKind(_text(body, "actorkind")), name=_text(body, "actor")),
            event=definition.from_data(data),
            sequence=int(_text(body, "sequence")) if "sequence" in body else None,
            request_id=_optional(data, "request_id"),
            address=_optional(client, "address"),
            user_agent=_optional(client, "user_agent"),
            traceparent=_optional(body, "traceparent"),
        )
    except ValueError as error:
        raise InvalidEvent(f"an attribute of the event is malformed: {error}") from error


def rfc3339(moment: datetime) -> str:
    """An aware time in UTC, to the millisecond, as RFC 3339 with Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("time has no offset")
    return moment.astimezone(UTC)


def _foreign(text: str | None, limit: int) -> str | None:
    return None if text is None else printable(text[:limit])


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    if not isinstance(value, str):
        raise InvalidEvent(f"the event has no {name}")
    return value


def _optional(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) else None
