"""A task belongs to the trace of what it was made for, whenever and wherever it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.replication.commands.changes import PAUSE, WINDOW
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.definitions.tag import TagCreated
from tests.integration.replication.desk import NOW, Desk

DIGEST = "sha256:" + "a" * 64
LATER = NOW + WINDOW
FIRST, SECOND = (f"00-{number:032x}-00f067aa0ba902b7-01" for number in (1, 2))


def pushed(tag: str) -> ArtifactPushed:
    return ArtifactPushed(project="p", repository="p/app", digest=DIGEST, tag=tag)


def tasks(desk: Desk) -> list[tuple[object, ...]]:
    return desk.rows("SELECT tags, traceparent FROM replication.tasks ORDER BY id")


def test_each_task_of_a_run_belongs_to_the_push_that_made_it(desk: Desk) -> None:
    desk.policy("p")
    desk.note(pushed("v1"), traceparent=FIRST)
    desk.note(pushed("v2"), traceparent=SECOND)
    desk.note(pushed("v3"))
    assert desk.begin(now=LATER) is not None
    assert tasks(desk) == [(["v1"], FIRST), (["v2"], SECOND), (["v3"], "")]
    found = {claim.references: claim.traceparent for claim in desk.claim(desk.worker(), now=LATER)}
    assert found == {("v1",): FIRST, ("v2",): SECOND, ("v3",): ""}


def test_of_several_events_that_become_one_task_the_first_is_its_trace(desk: Desk) -> None:
    desk.policy("p")
    desk.note(pushed("v1"), TagCreated(project="p", repository="p/app", tag="v1", digest=DIGEST), traceparent=FIRST)
    desk.note(pushed("v1"), traceparent=SECOND)
    desk.begin(now=LATER)
    desk.note(pushed("v1"), traceparent=SECOND, now=LATER)
    assert desk.begin(now=LATER + PAUSE + WINDOW) is None
    assert tasks(desk) == [(["v1"], FIRST)]


def test_a_task_that_is_handed_on_keeps_its_trace(desk: Desk) -> None:
    desk.policy("p")
    desk.note(pushed("v1"), traceparent=FIRST)
    desk.begin(now=LATER)
    dead = desk.worker()
    (claim,) = desk.claim(dead, now=LATER)
    desk.dies(dead)
    desk.reap(now=LATER + timedelta(minutes=1))
    (again,) = desk.claim(desk.worker(), now=LATER + timedelta(minutes=1))
    assert (again.task_id, again.traceparent, again.attempt) == (claim.task_id, FIRST, 2)


@pytest.mark.parametrize("nonsense", ["x" * 5000, "00-0-0-0", f"{FIRST}-more"])
def test_what_is_no_traceparent_is_not_kept(desk: Desk, nonsense: str) -> None:
    desk.policy("p")
    desk.note(pushed("v1"), traceparent=nonsense)
    desk.begin(now=LATER)
    assert tasks(desk) == [(["v1"], "")]
