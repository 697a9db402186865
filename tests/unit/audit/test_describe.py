"""Events in a few words, where the other columns of their records do not say enough."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.audit.domain.record import describe, entry_of, event_types, is_recorded
from shared.events import Actor, ActorKind, Envelope, Event
from shared.events.definitions.dead_letter import DeadLettersDiscarded, DeadLettersRedriven
from shared.events.definitions.label import LabelAttached, LabelCreated, LabelDeleted, LabelDetached, LabelUpdated
from shared.events.definitions.parked_notification import ParkedNotificationAccepted, ParkedNotificationDiscarded
from shared.events.definitions.refresh_token import RefreshTokenCreated
from shared.events.definitions.registry import RegistryUpdated
from shared.events.definitions.replication import (
    ReplicationFinished,
    ReplicationProgressed,
    ReplicationStarted,
    ReplicationTaskFinished,
)
from shared.events.definitions.user import UserUpdated

DIGEST = f"sha256:{1:064x}"
BORNE: dict[str, Any] = {
    "label_id": 7,
    "label": "tested",
    "project": "library",
    "project_id": 1,
    "repository": "library/app",
    "digest": DIGEST,
}
RUN: dict[str, Any] = {"execution_id": 5, "policy_id": 2, "policy": "mirror", "trigger": "manual", "operator": "alice"}
COUNTERS: dict[str, Any] = {
    "total": 3, "in_progress": 0, "succeeded": 2, "failed": 1, "stopped": 0, "blobs_total": 9, "blobs_done": 8,
    "bytes_total": 90, "bytes_done": 80, "bytes_sent": 70,
}  # fmt: skip
TASK = ReplicationTaskFinished(
    **RUN, task_id=8, project="library", operation="copy", kind="image", source="library/app", target="copies/app",
    tags=("1.0",), state="succeeded", fault="", message="", bytes_sent=5, pushed=True, registry_id=1,
    registry="elsewhere", registry_kind="harbor", registry_url="https://elsewhere.example.test", override=True,
    creator="bob", began="2026-11-25T22:00:00.000Z",
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (LabelCreated(label_id=7, label="tested"), "create label tested"),
        (
            LabelUpdated(label_id=7, label="tested", project="library", project_id=1, changed=("name", "color")),
            "update label library/tested: name, color",
        ),
        (LabelDeleted(label_id=7, label="tested", project="library", project_id=1), "delete label library/tested"),
        (LabelAttached(**BORNE), f"put label tested on library/app@{DIGEST}"),
        (LabelDetached(**BORNE), f"take label tested off library/app@{DIGEST}"),
        (DeadLettersRedriven(queue="audit", count=1), "give 1 dead letter back to audit"),
        (DeadLettersDiscarded(queue="webhook", count=12), "throw 12 dead letters of webhook away"),
        (
            ParkedNotificationAccepted(parked_id="7", reason="odd", events=2),
            "take a parked notification in, 2 new events; it was parked as odd",
        ),
        (
            ParkedNotificationDiscarded(parked_id="7", reason="odd"),
            "throw a parked notification away; it was parked as odd",
        ),
        (
            RefreshTokenCreated(username="bob", token_id="7", client_id="nightly"),
            "make refresh token nightly of bob",
        ),
        (UserUpdated(username="bob", changed=("disabled",), disabled=True), "disable user bob"),
        (UserUpdated(username="bob", changed=("disabled",), disabled=False), "enable user bob"),
        (UserUpdated(username="bob", changed=("email",)), "update user bob: email"),
        (
            RegistryUpdated(registry_id=1, registry="elsewhere", kind="quay", url="https://e.test", changed=("url",)),
            "update registry elsewhere: url",
        ),
        (ReplicationStarted(**RUN, dry_run=False), "start replication mirror/5 for alice, manual"),
        (ReplicationStarted(**RUN, dry_run=True), "start dry run of replication mirror/5 for alice, manual"),
        (
            ReplicationFinished(**RUN, **COUNTERS, dry_run=False, state="failed", message=""),
            "replication mirror/5, failed: 2 of 3 tasks succeeded",
        ),
        (TASK, "copy of copies/app:1.0 to registry elsewhere, succeeded"),
        (
            replace(TASK, pushed=False, state="failed", fault="conflict", tags=(DIGEST,)),
            f"copy of copies/app@{DIGEST} from registry elsewhere, failed: conflict",
        ),
    ],
)
def test_an_event_is_told_by_its_names(event: Event, words: str) -> None:
    assert describe(event) == words


def test_a_label_on_an_artifact_is_a_change() -> None:
    assert {each for each in event_types() if each.endswith("_label")} == {
        "create_label", "update_label", "delete_label",
    }  # fmt: skip


@pytest.mark.parametrize(("state", "succeeded"), [("succeeded", True), ("failed", False), ("stopped", True)])
def test_what_failed_is_recorded_as_such(state: str, *, succeeded: bool) -> None:
    event = replace(TASK, state=state)
    envelope = Envelope(
        id=uuid4(), source="/breakwater/x", time=datetime.now(UTC), subject=event.subject, sequence=1, request_id=None,
        actor=Actor(kind=ActorKind.SYSTEM, name="system:replication"), event=event, address=None, user_agent=None,
        traceparent=None,
    )  # fmt: skip
    entry = entry_of(envelope)
    assert (entry.succeeded, entry.project, entry.resource) == (succeeded, "library", "copies/app:1.0")


def test_how_far_a_replication_is_is_no_matter_for_the_record() -> None:
    assert not is_recorded(ReplicationProgressed)
    assert is_recorded(ReplicationFinished)
    kinds = {each for each in event_types() if "repl" in each}
    assert kinds == {
        "create_replication", "update_replication", "update_replication_task", "create_replication_policy",
        "update_replication_policy", "delete_replication_policy",
    }  # fmt: skip
