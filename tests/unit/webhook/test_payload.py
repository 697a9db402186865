"""What targets are sent, to the letter."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.webhook.domain.payload import Notice, Place, event_type_of, notice_of, render
from services.webhook.domain.policy import EventType, PayloadFormat
from shared.events import Actor, ActorKind, Envelope, Event
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled, ArtifactPushed
from shared.events.definitions.quota import QuotaExceeded, QuotaWarned
from shared.events.definitions.replication import ReplicationFinished, ReplicationTaskFinished
from shared.events.definitions.retention import RetentionFinished
from shared.events.definitions.tag import TagCreated

ID = UUID("11111111-2222-5333-8444-555555555555")
TIME = datetime(2026, 5, 17, 12, 30, 15, 123456, tzinfo=UTC)
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
PLACE = Place(host="registry.example.test:8443", public=False, repository_created_at=CREATED)


def envelope(event: Event, *, actor: str = "alice", request_id: str | None = "r-1") -> Envelope:
    return Envelope(
        id=ID, source="/breakwater/x", time=TIME, subject=event.subject, sequence=1, request_id=request_id,
        actor=Actor(kind=ActorKind.USER, name=actor), event=event, address=None, user_agent=None, traceparent=None,
    )  # fmt: skip


def pushed(tag: str | None = "1.0") -> ArtifactPushed:
    return ArtifactPushed(project="team", repository="team/sub/app", digest=DIGEST, tag=tag, project_id=3)


def notice(event: Event, place: Place = PLACE, **more: Any) -> Notice:  # noqa: ANN401
    found = notice_of(envelope(event, **more), place)
    assert found is not None
    return found


def body(found: Notice, form: PayloadFormat) -> dict[str, Any]:
    return dict(json.loads(render(found, form, project_id=3, policy_id=15).body))


def test_harbors_own_form() -> None:
    payload = render(notice(pushed()), PayloadFormat.DEFAULT, project_id=3, policy_id=15)
    assert payload.content_type == "application/json"
    assert json.loads(payload.body) == {
        "type": "PUSH_ARTIFACT",
        "occur_at": 1779021015,
        "operator": "alice",
        "event_data": {
            "resources": [
                {"digest": DIGEST, "tag": "1.0", "resource_url": "registry.example.test:8443/team/sub/app:1.0"}
            ],
            "repository": {
                "date_created": 1767225600,
                "name": "sub/app",
                "namespace": "team",
                "repo_full_name": "team/sub/app",
                "repo_type": "private",
            },
        },
    }


def test_a_cloud_event() -> None:
    payload = render(notice(pushed()), PayloadFormat.CLOUD_EVENTS, project_id=3, policy_id=15)
    assert payload.content_type == "application/cloudevents+json"
    assert json.loads(payload.body) == {
        "specversion": "1.0",
        "id": str(ID),
        "source": "/projects/3/webhook/policies/15",
        "type": "harbor.artifact.pushed",
        "datacontenttype": "application/json",
        "time": "2026-05-17T12:30:15Z",
        "data": body(notice(pushed()), PayloadFormat.DEFAULT)["event_data"],
        "operator": "alice",
        "requestid": "r-1",
    }


def test_an_extension_that_is_not_known_is_left_out() -> None:
    assert "requestid" not in body(notice(pushed(), request_id=None), PayloadFormat.CLOUD_EVENTS)


@pytest.mark.parametrize(
    ("kind", "type_", "cloud"),
    [(ArtifactPushed, "PUSH_ARTIFACT", "harbor.artifact.pushed"),
     (ArtifactPulled, "PULL_ARTIFACT", "harbor.artifact.pulled"),
     (ArtifactDeleted, "DELETE_ARTIFACT", "harbor.artifact.deleted")],
)  # fmt: skip
def test_each_event_under_its_names(kind: type[Any], type_: str, cloud: str) -> None:
    found = notice(kind(project="p", repository="p/a", digest=DIGEST))
    assert body(found, PayloadFormat.DEFAULT)["type"] == type_
    assert body(found, PayloadFormat.CLOUD_EVENTS)["type"] == cloud


def test_what_was_named_by_digest_has_the_digest_for_a_tag() -> None:
    [resource] = notice(pushed(tag=None)).data["resources"]
    assert resource["tag"] == DIGEST
    assert resource["resource_url"] == f"registry.example.test:8443/team/sub/app@{DIGEST}"


def test_a_repository_that_is_not_catalogued_yet_is_created_by_its_first_push() -> None:
    unknown = Place(host="h", public=True, repository_created_at=None)
    assert notice(pushed(), unknown).data["repository"]["date_created"] == int(TIME.timestamp())
    gone = notice(ArtifactDeleted(project="p", repository="p/a", digest=DIGEST), unknown).data["repository"]
    assert "date_created" not in gone
    assert gone["repo_type"] == "public"


@pytest.mark.parametrize(
    ("event", "type_", "cloud", "details"),
    [
        (QuotaExceeded(project="p", project_id=3, repository="p/a", limit=100, used=90, detail="no room"),
         "QUOTA_EXCEED", "harbor.quota.exceeded", "no room"),
        (QuotaWarned(project="p", project_id=3, repository="p/a", limit=100, used=90),
         "QUOTA_WARNING", "harbor.quota.warned", "the project uses 90 of 100 bytes of its quota, 90 per cent"),
    ],
    ids=["exceeded", "warned"],
)  # fmt: skip
def test_a_quota_is_told_of_with_details(event: Event, type_: str, cloud: str, details: str) -> None:
    found = notice(event)
    told = body(found, PayloadFormat.DEFAULT)
    assert (told["type"], told["event_data"]["custom_attributes"]) == (type_, {"Details": details})
    assert told["event_data"]["repository"]["repo_full_name"] == "p/a"
    assert body(found, PayloadFormat.CLOUD_EVENTS)["type"] == cloud


RETENTION = RetentionFinished(
    project="team", project_id=3, policy_id=5, execution_id=7, trigger="SCHEDULE", dry_run=False, status="Success",
    rules=('{"template":"always"}',), total=3, retained=2, deleted=1, deleted_artifacts=("app:old",),
)  # fmt: skip


def test_a_run_of_retention_is_told_of_with_what_went() -> None:
    found = notice(RETENTION)
    told = body(found, PayloadFormat.DEFAULT)
    assert told["type"] == "TAG_RETENTION"
    assert told["event_data"] == {
        "retention": {
            "total": 3, "retained": 2, "harbor_hostname": "registry.example.test:8443", "project_name": "team",
            "retention_policy_id": 5, "retention_rule": [{"template": "always"}], "result": "SUCCESS",
            "deleted_artifact": [{"type": "image", "status": "SUCCESS", "name_tag": "app:old"}],
        }
    }  # fmt: skip
    assert body(found, PayloadFormat.CLOUD_EVENTS)["type"] == "harbor.tag_retention.finished"


def test_of_some_events_webhooks_do_not_tell() -> None:
    assert event_type_of(replace(RETENTION, dry_run=True)) is None
    assert event_type_of(TagCreated(project="p", repository="p/a", tag="t")) is None
    assert event_type_of(ArtifactPulled(project="p", repository="p/a", digest="d", counted=False)) is None
    assert event_type_of(ArtifactPulled(project="p", repository="p/a", digest="d")) is EventType.PULL_ARTIFACT


def test_a_message_for_slack() -> None:
    blocks = body(notice(pushed()), PayloadFormat.SLACK)["blocks"]
    texts = [block["text"]["text"] for block in blocks]
    assert {(block["type"], block["text"]["type"]) for block in blocks} == {("section", "mrkdwn")}
    assert texts[1:4] == [
        "*event_type:* PUSH_ARTIFACT",
        "*occur_at:* <!date^1779021015^{date} at {time}|May 17, 2026 at 12:30 UTC>",
        "*operator:* alice",
    ]
    assert "registry.example.test:8443/team/sub/app:1.0" in texts[5]


def test_a_name_is_no_link_and_calls_nobody_on_slack() -> None:
    found = notice(pushed(tag="<!channel>`&"), actor="<!here|x> & co")
    texts = [block["text"]["text"] for block in body(found, PayloadFormat.SLACK)["blocks"]]
    assert texts[3] == "*operator:* &lt;!here|x&gt; &amp; co"
    assert "<" not in texts[5]
    assert texts[5].count("`") == 6
    assert all(len(text) <= 3000 for text in texts)


REPLICATED = ReplicationTaskFinished(
    task_id=8, execution_id=5, policy_id=2, policy="mirror", trigger="event_based", operator="alice", project="team",
    operation="copy", kind="image", source="team/sub/app", target="copies/app", tags=("1.0", "latest"),
    state="succeeded", fault="", message="", bytes_sent=5, pushed=True, registry_id=1, registry="elsewhere",
    registry_kind="docker-registry", registry_url="https://elsewhere.example.test", override=True, creator="bob",
    began="2026-05-17T12:30:15.000Z",
)  # fmt: skip
HERE = {"registry_type": "harbor", "endpoint": "registry.example.test:8443"}
THERE = {
    "registry_name": "elsewhere", "registry_type": "docker-registry", "endpoint": "https://elsewhere.example.test",
}  # fmt: skip


def test_a_replicated_artifact_is_told_in_harbors_form() -> None:
    told = body(notice(REPLICATED), PayloadFormat.DEFAULT)
    assert told["type"] == "REPLICATION"
    artifact = {
        "type": "image", "status": "Success", "name_tag": "app:1.0", "references": ["1.0", "latest"],
    }  # fmt: skip
    assert told["event_data"] == {
        "replication": {
            "harbor_hostname": "registry.example.test:8443",
            "job_status": "Success",
            "description": "",
            "artifact_type": "image",
            "authentication_type": "basic",
            "override_mode": True,
            "trigger_type": "EVENT",
            "policy_creator": "bob",
            "execution_timestamp": 1779021015,
            "src_resource": HERE | {"namespace": "team/sub"},
            "dest_resource": THERE | {"namespace": "copies"},
            "successful_artifact": [artifact],
            "execution_id": 5,
            "task_id": 8,
        }
    }
    cloud_event = body(notice(REPLICATED), PayloadFormat.CLOUD_EVENTS)
    assert cloud_event["type"] == "harbor.replication.status.changed"


@pytest.mark.parametrize(("state", "word"), [("failed", "Error"), ("stopped", "Stopped")])
def test_what_was_pulled_and_did_not_come_is_told_as_failed(state: str, word: str) -> None:
    event = replace(
        REPLICATED, state=state, pushed=False, source="app", target="team/app", message="it broke off", tags=(DIGEST,)
    )
    told = notice(event).data["replication"]
    assert (told["job_status"], told["description"]) == (word, "it broke off")
    assert (told["src_resource"], told["dest_resource"]) == (THERE | {"namespace": ""}, HERE | {"namespace": "team"})
    [artifact] = told["failed_artifact"]
    assert artifact == {"type": "image", "status": word, "name_tag": f"app@{DIGEST}", "references": [DIGEST]}
    assert "successful_artifact" not in told


def test_an_execution_of_many_projects_is_no_projects_news() -> None:
    counters = dict.fromkeys(
        ("total", "in_progress", "succeeded", "failed", "stopped", "blobs_total", "blobs_done", "bytes_total",
         "bytes_done", "bytes_sent"), 0,
    )  # fmt: skip
    event = ReplicationFinished(
        execution_id=5, policy_id=2, policy="mirror", trigger="manual", operator="alice", dry_run=False,
        state="succeeded", message="", **counters,
    )  # fmt: skip
    assert event_type_of(event) is None
