"""Events become changes, and changes runs: few of them, however many events there are."""

from __future__ import annotations

from datetime import timedelta

from services.replication.commands.changes import PAUSE, WINDOW
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPushed
from shared.events.definitions.tag import TagCreated, TagDeleted
from tests.integration.replication.desk import NOW, SUCCESS, Desk

DIGEST = "sha256:" + "a" * 64
LATER = NOW + WINDOW


def pushed(tag: str | None, repository: str = "p/app") -> ArtifactPushed:
    return ArtifactPushed(project="p", repository=repository, digest=DIGEST, tag=tag)


def test_a_burst_on_one_tag_is_one_task(desk: Desk) -> None:
    desk.policy("p")
    tagged = TagCreated(project="p", repository="p/app", tag="v1", digest=DIGEST)
    assert desk.note(pushed("v1"), tagged, pushed("v1")) == 1
    for _ in range(10):
        desk.note(pushed("v1"))
    execution = desk.begin(now=LATER)
    assert execution is not None
    assert desk.state(execution) == ("running", 1, 1, 0, 0, 0)
    assert desk.rows("SELECT source, target, tags FROM replication.tasks") == [("p/app", "p/app", ["v1"])]
    assert desk.begin(now=LATER) is None


def test_a_storm_of_pushes_makes_a_run_a_second_at_most(desk: Desk) -> None:
    desk.policy("p")
    runs = 0
    for number in range(100):
        now = NOW + timedelta(seconds=number * 0.1)
        desk.note(pushed(f"t{number}"), now=now)
        runs += desk.begin(now=now + WINDOW) is not None
    assert 8 <= runs <= 11
    assert desk.begin(now=NOW + timedelta(seconds=10) + PAUSE + WINDOW) is not None
    assert desk.one("SELECT count(*) FROM replication.tasks") == (100,)


def test_what_waits_already_will_see_the_newest_and_what_runs_will_not(desk: Desk) -> None:
    desk.policy("p")
    desk.note(pushed("v1"))
    desk.begin(now=LATER)
    desk.note(pushed("v1"), now=LATER)
    assert desk.begin(now=LATER + PAUSE + WINDOW) is None
    worker = desk.worker()
    (claim,) = desk.claim(worker, now=LATER)
    desk.note(pushed("v1"), now=LATER)
    assert desk.begin(now=LATER + PAUSE + WINDOW) is not None
    desk.settle(worker, {claim.task_id: SUCCESS})
    assert len(desk.claim(worker, now=LATER + PAUSE + WINDOW)) == 1


def test_a_policy_hears_of_what_it_means_alone(desk: Desk) -> None:
    desk.policy("named", filters=({"kind": "name", "values": ["p/app"], "excludes": False},))
    desk.policy("tagged", filters=({"kind": "tag", "values": ["v*"], "excludes": False},))
    desk.policy("by hand", trigger="manual")
    assert desk.note(pushed("latest", "p/other")) == 0
    assert desk.note(pushed("v1", "p/other")) == 1
    assert desk.note(pushed("latest")) == 1


def test_deletions_concern_only_policies_that_follow_them(desk: Desk) -> None:
    desk.policy("keeps")
    gone = TagDeleted(project="p", repository="p/app", tag="v1", digest=DIGEST)
    assert desk.note(gone) == 0
    desk.policy("follows", deletion=True)
    assert desk.note(gone) == 1


def test_a_manifest_that_is_deleted_takes_along_every_tag_that_was_copied_of_it(desk: Desk) -> None:
    policy = desk.policy("follows", deletion=True)
    for tag in ("v1", "v2"):
        desk.rows(
            "INSERT INTO replication.copies VALUES (%s, 'p/app', %s, 'p/app', %s, now())", policy, tag, DIGEST
        )
    assert desk.note(ArtifactDeleted(project="p", repository="p/app", digest=DIGEST)) == 2
    desk.begin(now=LATER)
    assert desk.rows("SELECT tags FROM replication.tasks ORDER BY id") == [(["v1"],), (["v2"],)]


def test_a_repository_that_has_no_place_at_the_target_is_told_as_the_runs_end(desk: Desk) -> None:
    desk.policy("p", namespace="n", replace_count=3)
    desk.note(pushed("v1"))
    execution = desk.begin(now=LATER)
    assert execution is not None
    assert desk.state(execution) == ("failed", 0, 0, 0, 0, 0)
    (message,) = desk.one("SELECT message FROM replication.executions")
    assert message == "3 components of p/app cannot be replaced: it has 1 before the last"
    assert len(desk.told("replication.finished")) == 1


def test_a_policy_that_is_disabled_begins_nothing(desk: Desk) -> None:
    desk.policy("p")
    desk.note(pushed("v1"))
    desk.rows("UPDATE replication.policies SET enabled = false")
    assert desk.begin(now=LATER) is None
    assert desk.note(pushed("v2")) == 0
