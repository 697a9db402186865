"""The intake against a registry that lies, stutters or is somebody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.clients.images import make_image
from tests.clients.notifications import NotificationSender, body_of, event
from tests.clients.polling import eventually, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.system import System

MALFORMED: Final = {
    "no JSON": b"{]",
    "no object": b"[1, 2]",
    "no events": b'{"event": []}',
    "events is a number": b'{"events": 7}',
    "bad UTF-8": b'{"events": [{"id": "\xff\xfe"}]}',
    "not a number": b'{"events": [NaN]}',
    "deep": b'{"events": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "an event without a target": b'{"events": [{"id": "x", "action": "push"}]}',
    "a digest that is none": body_of(event("push", "library/app", digest="sha256:zz")),
    "a repository that is none": body_of(event("push", "../etc/passwd")),
    "an id that is an object": json.dumps({"events": [event("push", "library/app") | {"id": {"a": 1}}]}).encode(),
}


@pytest.fixture
def sender(system: System) -> Iterator[NotificationSender]:
    sender = NotificationSender(system.intake_url, system.notification_token)
    yield sender
    sender.close()


def parked(system: System) -> int:
    return int(system.rows("SELECT count(*) FROM events.parked")[0][0])


def logged(system: System) -> int:
    outbox, log = system.rows("SELECT (SELECT count(*) FROM events.outbox), (SELECT count(*) FROM events.log)")[0]
    return int(outbox + log)


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_can_never_be_accepted_is_parked_and_answered_with_success(
    system: System, sender: NotificationSender, body: bytes,
) -> None:
    before = parked(system)
    answer = sender.post(body)
    assert answer.ok, "the registry would repeat a refused notification for ever, and all others wait behind it"
    assert parked(system) == before + 1


def test_parked_notifications_are_shown_with_their_reason(system: System, sender: NotificationSender) -> None:
    assert sender.post(b"neither here nor there").ok
    done = system.breakwater("events", "parked")
    assert done.ok, done.said
    assert "JSON" in done.out


def test_one_bad_event_does_not_take_its_good_neighbour_along(
    system: System, project: str, sender: NotificationSender,
) -> None:
    good = event("pull", f"{project}/app", tag="v1")
    assert sender.post(body_of({"id": "bad"}, good)).ok
    eventually(lambda: system.events_of(project, "artifact.pulled"), within=10, what="the good event is logged")


@pytest.mark.parametrize("token", [None, "", "wrong", "Bearer"])
def test_an_unauthenticated_notification_is_refused_and_publishes_nothing(
    system: System, project: str, token: str | None,
) -> None:
    stranger = NotificationSender(system.intake_url, token)
    answer = stranger.post(body_of(event("push", f"{project}/app", tag="v1")))
    stranger.close()
    assert answer.status_code == requests.codes.unauthorized
    assert not system.rows("SELECT 1 FROM events.outbox WHERE project = %s AND type LIKE '%%.artifact.%%'", (project,))
    assert not system.events_of(project, "artifact.pushed")


def test_an_oversized_notification_is_answered_and_not_kept_whole(
    system: System, sender: NotificationSender,
) -> None:
    before = logged(system)
    body = b'{"events": [' + b" " * 50_000_000 + b"]}"
    try:
        status = sender.post(body).status_code
    except requests.ConnectionError:
        status = requests.codes.request_entity_too_large  # hung up in the middle of the body: as clear a no
    assert status in {requests.codes.ok, requests.codes.request_entity_too_large}
    assert logged(system) == before
    biggest = system.rows("SELECT coalesce(max(length(body)), 0) FROM events.parked")[0][0]
    assert biggest < 5_000_000
    assert sender.post(body_of(event("pull", "library/after"))).ok, "the intake goes on"


def test_the_same_notification_a_hundred_times_counts_once(
    system: System, project: str, sender: NotificationSender,
) -> None:
    image = make_image(f"repeat/{project}")
    assert system.registry().push(f"{project}/app", "v1", image).ok
    same = body_of(event("pull", f"{project}/app", digest=image.digest, tag="v1"))
    for _ in range(100):
        assert sender.post(same).ok
    marker = event("pull", f"{project}/app", digest=image.digest, tag="v1")
    assert sender.post(body_of(marker)).ok

    def pulls() -> int:
        return sum(row["operation"] == "pull" for row in system.admin.audit(project))

    settled(pulls, 2, within=10, what="one row for the repeated pull, one for the marker after it")
    assert len(system.events_of(project, "artifact.pulled")) == 2


def test_a_deletion_told_before_its_push_ends_as_the_registry_is(
    system: System, project: str, sender: NotificationSender,
) -> None:
    image = make_image(f"order/{project}")
    registry = system.registry()
    assert registry.push(f"{project}/app", "v1", image).ok
    eventually(lambda: system.admin.artifacts(f"{project}/app"), within=10, what="the artifact")
    assert sender.post(body_of(event("delete", f"{project}/app", digest=image.digest))).ok
    assert sender.post(body_of(event("push", f"{project}/gone", tag="v1"))).ok
    marker = make_image(f"marker/{project}")
    assert registry.push(f"{project}/app", "v2", marker).ok
    eventually(
        lambda: {found["digest"] for found in system.admin.artifacts(f"{project}/app")}
        == {image.digest, marker.digest},
        within=10, what="the API holds what the registry holds, whatever the notifications said",
    )
    assert not system.admin.artifacts(f"{project}/gone")


def test_the_proxy_knows_no_way_to_the_intake(system: System) -> None:
    for path in ("/service/notifications", "/service/notifications/", "/service//notifications", "/internal/token"):
        answer = requests.post(
            f"{system.url}{path}", data=body_of(event("push", "library/app")), timeout=10,
            headers={"Authorization": f"Bearer {system.notification_token}"},
        )
        assert answer.status_code == requests.codes.not_found, path
