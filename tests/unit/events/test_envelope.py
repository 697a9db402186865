"""Events travel and come back as they were; what is malformed is refused in one sentence."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from shared.events import Actor, ActorKind, Event, EventContext, InvalidEvent
from shared.events.catalogue import DEFINITIONS
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.definitions.configuration import ConfigurationUpdated
from shared.events.definitions.user import UserLoggedIn
from shared.events.envelope import build, decode, encode, parse
from tests.unit.events.samples import CONTEXT, INSTANCE, sample

ID = UUID("11111111-2222-5333-8444-555555555555")
TIME = datetime(2026, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)


def body(event: Event, context: EventContext = CONTEXT) -> dict[str, Any]:
    return build(event, context=context, event_id=ID, time=TIME)


@pytest.mark.parametrize("full", [True, False], ids=["full", "sparse"])
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_every_event_comes_back_as_it_went(definition: type[Event], *, full: bool) -> None:
    event = sample(definition, full=full)
    envelope = decode(encode(body(event)))
    assert envelope.event == event
    assert envelope.id == ID
    assert envelope.actor == CONTEXT.actor
    assert envelope.time == TIME.replace(microsecond=123000)
    assert (envelope.request_id, envelope.address, envelope.user_agent) == ("r-1", "192.0.2.7", "docker/28.2.2")


def test_the_envelope_is_a_cloud_event() -> None:
    made = body(ArtifactPushed(project="library", repository="library/app", digest="sha256:0", tag="1.0"))
    assert {name: value for name, value in made.items() if name != "data"} == {
        "specversion": "1.0",
        "id": str(ID),
        "source": f"/breakwater/{INSTANCE}",
        "type": "breakwater.artifact.pushed.v1",
        "subject": "library/app:1.0",
        "time": "2026-05-17T12:30:15.123Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:breakwater:schema:artifact.pushed.v1",
        "actor": "alice",
        "actorkind": "user",
        "traceparent": CONTEXT.traceparent,
    }


def test_an_artifact_without_a_tag_is_named_by_digest() -> None:
    assert ArtifactPushed(project="p", repository="p/a", digest="sha256:0").subject == "p/a@sha256:0"


@pytest.mark.parametrize(
    ("event", "key"),
    [
        (ArtifactPushed(project="my.team", repository="my.team/a", digest="d"), "artifact.pushed.my.team"),
        (UserLoggedIn(username="alice"), "user.logged_in._system"),
        (ConfigurationUpdated(changed=()), "configuration.updated._system"),
    ],
)
def test_the_routing_key_ends_in_the_project(event: Event, key: str) -> None:
    assert event.routing_key == key


def test_the_routing_key_never_passes_the_limit_of_amqp() -> None:
    longest = "p" * 255
    event = ArtifactPushed(project=longest, repository=f"{longest}/a", digest="d")
    assert len(event.routing_key.encode()) == 255


def test_fields_of_a_newer_version_are_passed_over() -> None:
    newer = body(UserLoggedIn(username="alice"))
    newer["newattribute"] = "x"
    newer["data"]["new_field"] = {"deep": [1]}
    assert parse(newer).event == UserLoggedIn(username="alice")


def test_an_older_event_lacks_fields_that_have_defaults() -> None:
    older = body(ArtifactPushed(project="p", repository="p/a", digest="d"))
    for name in ("tag", "media_type", "size", "project_id", "origin"):
        del older["data"][name]
    assert parse(older).event == ArtifactPushed(project="p", repository="p/a", digest="d")


def test_foreign_text_is_made_printable_and_cut() -> None:
    strange = EventContext(
        instance_id=INSTANCE,
        actor=Actor(kind=ActorKind.USER, name="a\x00\x1b[31m\ud800" + "b" * 999),
        request_id="r\n" * 200,
        address="::1\r",
        user_agent="agent\x07" * 999,
    )
    made = body(UserLoggedIn(username="nul\x00"), strange)
    encode(made).encode()
    assert made["actor"].startswith("a\ufffd\ufffd[31m\ufffdb")
    assert len(made["actor"]) == 255
    assert len(made["data"]["client"]["user_agent"]) == 512
    assert len(made["data"]["request_id"]) == 128
    assert made["data"]["username"] == "nul\ufffd"


VALID = body(ArtifactPushed(project="p", repository="p/a", digest="d", size=4))


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in VALID.items() if key != name}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"{}", "has no type"),
        *((json.dumps(without(name)).encode(), name) for name in ("id", "source", "time", "subject", "actor", "data")),
        (json.dumps(VALID | {"type": "breakwater.artifact.eaten.v1"}).encode(), "no event has the type"),
        (json.dumps(VALID | {"type": 7}).encode(), "has no type"),
        (json.dumps(VALID | {"specversion": "0.3"}).encode(), "specversion"),
        (json.dumps(VALID | {"id": "7"}).encode(), "malformed"),
        (json.dumps(VALID | {"time": "2026-05-17"}).encode(), "malformed"),
        (json.dumps(VALID | {"time": "yesterday"}).encode(), "malformed"),
        (json.dumps(VALID | {"actorkind": "god"}).encode(), "malformed"),
        (json.dumps(VALID | {"sequence": "x"}).encode(), "malformed"),
        (json.dumps(VALID | {"data": VALID["data"] | {"size": "4"}}).encode(), "size"),
        (json.dumps(VALID | {"data": VALID["data"] | {"size": True}}).encode(), "size"),
        (json.dumps(VALID | {"data": VALID["data"] | {"project": None}}).encode(), "project"),
        (json.dumps(VALID | {"data": VALID["data"] | {"origin": "rumour"}}).encode(), "origin"),
        (json.dumps(VALID | {"data": {}}).encode(), "missing"),
        (json.dumps(VALID | {"data": VALID["data"] | {"size": float("nan")}}).encode(), "size"),
    ],
)
def test_what_is_malformed_is_refused_with_a_sentence(text: bytes, sentence: str) -> None:
    with pytest.raises(InvalidEvent, match=sentence):
        decode(text)
