"""Reading the registry's notifications: untrusted JSON in, typed records out, a reason for what cannot be read.

Pure. Format: distribution's notification events (application/vnd.docker.distribution.events.v1+json), 2.8 and 3.x.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Final
from uuid import UUID

from services.webhook.errors import Malformed
from shared.events.envelope import Actor, ActorKind
from shared.names import Digest, InvalidName, RepositoryName, TagName

MOST_EVENTS: Final = 1_000
"""The registry sends one event a request; a thousand in one is no registry."""
LONGEST_ID: Final = 128
LARGEST_SIZE: Final = 2**63 - 1

_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ADDED = re.compile(rf"(?: rid/(?P<request>[A-Za-z0-9._-]{{1,64}}))?(?: gate/(?P<gate>{_UUID}))?\Z")
"""What the proxy and the gate append to the client's User-Agent. Only the end counts: the rest is the client's."""
_SYSTEM: Final = "system:"
_ROBOT: Final = "$"
"""In every robot's prefix, however it is configured, and in no user's name."""
_BLOB_TYPE: Final = "application/octet-stream"


class Action(StrEnum):
    """What the registry says was done."""

    PUSH = "push"
    PULL = "pull"
    MOUNT = "mount"
    """A blob taken over from another repository."""
    DELETE = "delete"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notification:
    """One event of the registry."""

    id: str
    action: Action
    time: datetime
    repository: RepositoryName
    digest: Digest | None
    tag: TagName | None
    media_type: str | None
    size: int | None
    of_blob: bool
    method: str
    actor: Actor
    address: str | None
    user_agent: str | None
    request_id: str | None
    gate: UUID | None
    """The gate's expectation that this settles."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """An event, or a whole body, that will never be accepted."""

    reason: str
    body: bytes


def read(body: bytes) -> list[Notification | Unreadable]:
    """Every event of a request's body in its order; what cannot be read comes with its reason, in a body of its own."""
    try:
        return [_read_one(event) for event in _events(body)]
    except Malformed as error:
        return [Unreadable(reason=error.sentence, body=body)]
    except RecursionError:  # what could just be read cannot always be written again
        return [Unreadable(reason="the body's JSON is nested too deeply", body=body)]


def _events(body: bytes) -> list[object]:
    try:
        document = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Malformed("the body is not UTF-8") from error
    except ValueError as error:
        raise Malformed("the body is not JSON") from error
    events = document.get("events") if isinstance(document, dict) else None
    if not isinstance(events, list):
        raise Malformed("the body's JSON is no object with a list of events")
    if len(events) > MOST_EVENTS:
        raise Malformed(f"the body holds more than {MOST_EVENTS} events")
    return events


def _read_one(event: object) -> Notification | Unreadable:
    try:
        return _notification(event)
    except (Malformed, InvalidName) as error:
        return Unreadable(reason=error.sentence, body=json.dumps({"events": [event]}).encode("ascii"))


def _notification(event: object) -> Notification:
    if not isinstance(event, dict):
        raise Malformed("the event is no JSON object")
    target, request, actor = (_part(event, name) for name in ("target", "request", "actor"))
    digest, tag, media_type = (_text(target, name) for name in ("digest", "tag", "mediaType"))
    user_agent, request_id, gate = _client(_text(request, "useragent"))
    action = _action(_text(event, "action"))
    notification = Notification(
        id=_id(_text(event, "id")),
        action=action,
        time=_time(_text(event, "timestamp")),
        repository=RepositoryName.parse(_text(target, "repository")),
        digest=Digest.parse(digest) if digest else None,
        tag=TagName.parse(tag) if tag else None,
        media_type=media_type or None,
        size=_size(target),
        of_blob=action is Action.MOUNT or media_type == _BLOB_TYPE or "/blobs/" in _text(target, "url"),
        method=_text(request, "method"),
        actor=actor_of(_text(actor, "name")),
        address=_address(_text(request, "addr")),
        user_agent=user_agent,
        request_id=request_id or _text(request, "id") or None,
        gate=gate,
    )
    if notification.digest is None and (action is not Action.DELETE or notification.tag is None):
        raise Malformed("the event's target names no digest")
    return notification


def actor_of(subject: str) -> Actor:
    """Who a token's subject stands for."""
    if not subject:
        return Actor(kind=ActorKind.ANONYMOUS, name="anonymous")
    if subject.startswith(_SYSTEM):
        return Actor(kind=ActorKind.SYSTEM, name=subject)
    if _ROBOT in subject:
        return Actor(kind=ActorKind.ROBOT, name=subject)
    return Actor(kind=ActorKind.USER, name=subject)


def _client(user_agent: str) -> tuple[str | None, str | None, UUID | None]:
    """The client's own User-Agent, our request id and the gate's expectation."""
    added = _ADDED.search(user_agent)
    if added is None:
        return user_agent or None, None, None
    gate = added["gate"]
    return user_agent[: added.start()] or None, added["request"], UUID(gate) if gate else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _part(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = event.get(name)
    if not isinstance(part, dict):
        raise Malformed(f"the event has no {name}")
    return part


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise Malformed(f"the event's {name} is no text")
    return value


def _id(text: str) -> str:
    if not text or len(text) > LONGEST_ID or not text.isprintable():
        raise Malformed("the event has no usable id")
    return text


def _action(text: str) -> Action:
    if text not in Action.__members__.values():
        raise Malformed(f"the event's action {text[:40]!r} is unknown")
    return Action(text)


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            raise Malformed("the event's timestamp has no offset")
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Malformed("the event's timestamp is none") from error


def _size(target: Mapping[str, Any]) -> int | None:
    size = target.get("size")
    if size is None:
        return None
    if type(size) is not int or not 0 <= size <= LARGEST_SIZE:
        raise Malformed("the event's size is no number of bytes")
    return size


def _address(text: str) -> str | None:
    """The client's address without its port; what is none is left out."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ip_address(host))
    except ValueError:
        return None
