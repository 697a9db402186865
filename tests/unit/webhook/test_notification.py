"""Reading notifications: those that were captured from the registry, and those that an attacker would send."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.webhook.domain.notification import Notification, Unreadable, actor_of, read
from services.webhook.domain.observation import observe
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled, ArtifactPushed
from shared.events.definitions.tag import TagDeleted
from shared.events.envelope import ActorKind

INSTANCE = UUID("4be0643f-1d98-573b-97cd-ca98a65347dd")
GATE = "6f1c8d1e-3f53-4a3e-9f0c-2f8d1c0b7a11"
CAPTURED = json.loads(Path(__file__).with_name("captured.json").read_text())


def body(**changes: Any) -> bytes:  # noqa: ANN401
    """A captured push with parts replaced: `target__tag="v2"`."""
    event = json.loads(json.dumps(CAPTURED["push_manifest_oci"]))
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = event
        for parent in parents:
            part = part[parent]
        part[last] = value
    return json.dumps({"events": [event]}).encode()


def one(raw: bytes) -> Notification:
    [notification] = read(raw)
    assert isinstance(notification, Notification), notification
    return notification


def refusal(raw: bytes) -> str:
    [unreadable] = read(raw)
    assert isinstance(unreadable, Unreadable)
    return unreadable.reason


@pytest.mark.parametrize(
    ("captured", "event"),
    [
        ("push_manifest_oci", ArtifactPushed),
        ("push_manifest_docker_v2", ArtifactPushed),
        ("push_index_oci", ArtifactPushed),
        ("pull_manifest_get", ArtifactPulled),
        ("delete_manifest", ArtifactDeleted),
        ("delete_tag", TagDeleted),
        ("pull_manifest_head_docker", None),
        ("push_blob", None),
        ("pull_blob", None),
        ("mount_blob", None),
    ],
)
def test_what_the_registry_sends_means(captured: str, event: type | None) -> None:
    notification = one(json.dumps({"events": [CAPTURED[captured]]}).encode())
    observation = observe(notification, instance_id=INSTANCE)
    assert (observation and type(observation.event)) == event
    if observation:
        assert observation.id == uuid5(INSTANCE, CAPTURED[captured]["id"])


def test_all_of_a_push_is_read() -> None:
    notification = one(body())
    assert notification.repository.text == "proj1/app"
    assert (notification.tag and notification.tag.text, notification.size) == ("v1", 418)
    assert notification.media_type == "application/vnd.oci.image.manifest.v1+json"
    assert notification.time == datetime(2026, 11, 23, 15, 0, 18, 917370, UTC)
    assert notification.address == "127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "client", "request_id", "gate"),
    [
        ("skopeo/1.9.3", "skopeo/1.9.3", "own", None),
        ("skopeo/1.9.3 rid/7f-3a", "skopeo/1.9.3", "7f-3a", None),
        (f"docker/20 rid/7f gate/{GATE}", "docker/20", "7f", GATE),
        (f"docker/20 gate/{GATE}", "docker/20", "own", GATE),
        (f" rid/7f gate/{GATE}", None, "7f", GATE),
        (f"x gate/{GATE} rid/7f", f"x gate/{GATE}", "7f", None),
        ("x rid/evil rid/7f", "x rid/evil", "7f", None),
        (f"x gate/{GATE.upper()}", f"x gate/{GATE.upper()}", "own", None),
        ("x gate/not-an-id", "x gate/not-an-id", "own", None),
        (f"x rid/{'a' * 65}", f"x rid/{'a' * 65}", "own", None),
        (f"x rid/7f gate/{GATE}\n", f"x rid/7f gate/{GATE}\n", "own", None),
        ("", None, "own", None),
    ],
)
def test_what_the_proxy_and_the_gate_append_is_taken_off(
    sent: str, client: str | None, request_id: str, gate: str | None
) -> None:
    notification = one(body(request__useragent=sent, request__id="own"))
    assert notification.user_agent == client
    assert notification.request_id == request_id
    assert notification.gate == (UUID(gate) if gate else None)


@pytest.mark.parametrize(
    ("subject", "kind", "name"),
    [
        ("", ActorKind.ANONYMOUS, "anonymous"),
        ("alice", ActorKind.USER, "alice"),
        ("robot$library+ci", ActorKind.ROBOT, "robot$library+ci"),
        ("ci$library+push", ActorKind.ROBOT, "ci$library+push"),
        ("system:replication", ActorKind.SYSTEM, "system:replication"),
        ("systematic", ActorKind.USER, "systematic"),
        ("robot", ActorKind.USER, "robot"),
    ],
)
def test_who_acts_is_told_by_the_tokens_subject(subject: str, kind: ActorKind, name: str) -> None:
    actor = actor_of(subject)
    assert (actor.kind, actor.name) == (kind, name)


@pytest.mark.parametrize(
    ("sent", "address"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("10.0.0.7:51234", "10.0.0.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("@", None),
        ("", None),
        ("evil.example\n", None),
    ],
)
def test_addresses_are_addresses(sent: str, address: str | None) -> None:
    assert one(body(request__addr=sent)).address == address


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 129}, "id"),
        ({"id": 7}, "id"),
        ({"action": "explode"}, "explode"),
        ({"action": None}, "action"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2026-11-23T15:00:18"}, "no offset"),
        ({"timestamp": "9999999999999"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "timestamp"),
        ({"target": []}, "no target"),
        ({"request": "x"}, "no request"),
        ({"actor": None}, "no actor"),
        ({"target__repository": "UPPER/case"}, "UPPER/case"),
        ({"target__repository": "a//b"}, "a//b"),
        ({"target__repository": ""}, "repository"),
        ({"target__digest": "md5:abc"}, "md5:abc"),
        ({"target__digest": ""}, "no digest"),
        ({"target__tag": "no spaces"}, "no spaces"),
        ({"target__size": -1}, "size"),
        ({"target__size": True}, "size"),
        ({"target__size": 2**63}, "size"),
        ({"target__size": "418"}, "size"),
        ({"target__url": 7}, "url"),
    ],
)
def test_what_cannot_be_read_says_why(changes: dict[str, Any], reason: str) -> None:
    assert reason in refusal(body(**changes))


def test_an_unreadable_event_is_parked_in_a_body_that_can_be_read_again() -> None:
    [_, unreadable] = read(json.dumps({"events": [CAPTURED["push_manifest_oci"], {"id": "\ud800"}]}).encode())
    assert isinstance(unreadable, Unreadable)
    assert len(read(unreadable.body)) == 1


def test_metadatas_own_acts_are_no_events_unless_the_gate_knows_of_them() -> None:
    silent = one(body(actor__name="system:metadata"))
    assert observe(silent, instance_id=INSTANCE) is None
    asked = one(body(actor__name="system:metadata", request__useragent=f"python rid/1 gate/{GATE}"))
    observation = observe(asked, instance_id=INSTANCE)
    assert observation is not None
    assert observation.on_behalf
    assert observation.settlement is not None


def test_a_user_agent_makes_nobody_the_system() -> None:
    notification = one(body(actor__name="mallory", request__useragent="system:metadata"))
    assert observe(notification, instance_id=INSTANCE) is not None


def test_a_tag_that_goes_with_its_digest_settles_nothing() -> None:
    event = CAPTURED["delete_tag"]
    event = event | {"request": event["request"] | {"useragent": f"x rid/1 gate/{GATE}"}}
    observation = observe(one(json.dumps({"events": [event]}).encode()), instance_id=INSTANCE)
    assert observation is not None
    assert observation.settlement is None


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_no_depth_is_too_much_for_a_reason(opening: str, closing: str) -> None:
    """Near Python's limit an event can be read, and its copy for the operator not be written."""
    event = '{"id":"x","action":"explode","target":{},"request":{},"actor":{},"deep":%s}'
    for depth in range(1, 1_500):
        deep = event % (opening * depth + "1" + closing * depth)
        assert refusal(b'{"events":[%s]}' % deep.encode())
