"""The live stream: filters, resume, and never an event to somebody who may not see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.system import Person, System


def is_push(event: dict[str, Any]) -> bool:
    return bool(event["type"] == "breakwater.artifact.pushed.v1")


def push(system: System, repository: str, tag: str) -> str:
    image = make_image(f"{repository}:{tag}", layer_size=64)
    answer = system.registry().push(repository, tag, image)
    assert answer.status_code == requests.codes.created, answer.text
    return image.digest


def test_an_anonymous_listener_is_refused(system: System) -> None:
    with Stream(system.url, None) as stream:
        assert stream.status == requests.codes.unauthorized


@pytest.mark.parametrize(
    "filters",
    [{"type": "artifact.pushed"}, {"type": "breakwater.artifact.pushed.v1"}, {"repository": "{project}/wanted"}],
    ids=["short type", "whole type", "repository"],
)
def test_a_filter_lets_only_its_kind_through(system: System, project: str, filters: dict[str, str]) -> None:
    named = {name: value.format(project=project) for name, value in filters.items()}
    with system.stream(system.admin, project=project, **named) as stream:
        if "repository" in filters:
            push(system, f"{project}/other", "v1")
        else:
            system.admin.must("PUT", f"/projects/{project}", json={"metadata": {"public": "true"}})
        push(system, f"{project}/wanted", "v1")
        stream.wait_for(is_push, what="the wanted push")
        assert [event["data"]["repository"] for event in stream.events] == [f"{project}/wanted"]


def test_sequences_rise_and_a_broken_stream_resumes_where_it_ended(system: System, project: str) -> None:
    with system.stream(system.admin, project=project, type="artifact.pushed") as stream:
        push(system, f"{project}/app", "v1")
        first = stream.wait_for(is_push, what="the first push")
        last_id = stream.ids[-1]
    assert last_id == first["sequence"]
    missed = [push(system, f"{project}/app", tag) for tag in ("v2", "v3")]
    with system.stream(system.admin, last_event_id=last_id, project=project, type="artifact.pushed") as stream:
        eventually(lambda: len(stream.events) >= 2, within=10, what="the missed pushes")
        missed.append(push(system, f"{project}/app", "v4"))
        eventually(lambda: len(stream.events) >= 3, within=10, what="the live push after them")
    assert [event["data"]["digest"] for event in stream.events] == missed
    assert [int(each) for each in stream.ids] == sorted({int(each) for each in stream.ids})


def test_since_replays_from_a_sequence(system: System, project: str) -> None:
    digests = [push(system, f"{project}/app", tag) for tag in ("v1", "v2")]
    first, _ = eventually(
        lambda: found if len(found := system.events_of(project, "artifact.pushed")) == 2 else None, within=10,
        what="both pushes are numbered",
    )
    since = str(int(first["sequence"]) - 1)
    with system.stream(system.admin, project=project, type="artifact.pushed", since=since) as stream:
        eventually(lambda: len(stream.events) >= 2, within=10, what="both pushes, replayed")
    assert [event["data"]["digest"] for event in stream.events] == digests


def test_a_stranger_sees_nothing_of_a_private_project(
    system: System, project: str, person: Callable[[str, str], Person],
) -> None:
    own = system.new_project()
    stranger = person(own, "projectAdmin")
    with system.stream(system.rest(stranger)) as stream:
        push(system, f"{project}/secret", "v1")
        push(system, f"{own}/mine", "v1")
        stream.wait_for(is_push, what="the stranger's own push")
        assert {event["data"]["project"] for event in stream.events} == {own}
    with Stream(system.url, (stranger.name, stranger.password), project=project) as stream:
        assert stream.status in {requests.codes.forbidden, requests.codes.not_found} or not stream.events


def test_addresses_are_shown_only_to_who_may_read_the_log(
    system: System, project: str, person: Callable[[str, str], Person],
) -> None:
    guest, lead = person(project, "guest"), person(project, "projectAdmin")
    with (
        system.stream(system.rest(guest), project=project) as plain,
        system.stream(system.rest(lead), project=project) as whole,
    ):
        push(system, f"{project}/app", "v1")
        seen = plain.wait_for(is_push, what="the push, for the guest")
        told = whole.wait_for(is_push, what="the push, for the project's administrator")
    assert told["data"]["client"]["address"]
    assert not (seen["data"].get("client") or {}).get("address")


def test_member_events_reach_only_who_may_read_the_log(
    system: System, project: str, person: Callable[[str, str], Person],
) -> None:
    guest, lead = person(project, "guest"), person(project, "projectAdmin")
    with (
        system.stream(system.rest(guest), project=project) as plain,
        system.stream(system.rest(lead), project=project) as whole,
    ):
        person(project, "developer")
        push(system, f"{project}/app", "v1")
        plain.wait_for(is_push, what="the push, for the guest")
        whole.wait_for(lambda event: event["type"] == "breakwater.member.created.v1", what="the new member")
        assert {event["type"] for event in plain.events} == {"breakwater.artifact.pushed.v1"}


def test_the_stream_ends_for_a_member_who_was_removed(system: System, project: str) -> None:
    guest = system.new_person()
    member = system.admin.add_member(project, guest.name, "guest")
    with system.stream(system.rest(guest), project=project) as stream:
        push(system, f"{project}/app", "v1")
        stream.wait_for(is_push, what="the push while still a member")
        system.admin.must("DELETE", f"/projects/{project}/members/{member}")
        eventually(stream.ended.is_set, within=15, what="the stream of a removed member ends")
        push(system, f"{project}/app", "v2")
        assert len([event for event in stream.events if is_push(event)]) == 1


def test_the_stream_ends_for_a_disabled_or_deleted_user(system: System) -> None:
    somebody = system.new_person()
    with system.stream(system.rest(somebody)) as stream:
        system.admin.must("DELETE", f"/users/{somebody.id}")
        eventually(stream.ended.is_set, within=15, what="the stream of a deleted user ends")


@pytest.mark.parametrize("since", ["yesterday", "-1", "9" * 30])
def test_a_wrong_since_gets_a_sentence(system: System, since: str) -> None:
    with Stream(system.url, system.admin.credentials, since=since) as stream:
        assert stream.status in {requests.codes.bad_request, requests.codes.unprocessable_entity}
        assert json.loads(stream.refusal)["errors"][0]["message"]
