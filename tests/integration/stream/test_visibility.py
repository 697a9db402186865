"""Nobody sees an event that he may not see; a stream whose right is lost ends."""

import json
from datetime import timedelta

import pytest
import requests

from shared.events import Event
from shared.events.definitions.configuration import ConfigurationUpdated
from shared.events.definitions.member import MemberCreated, MemberDeleted
from shared.events.definitions.project import ProjectDeleted, ProjectUpdated
from shared.events.definitions.robot import RobotCreated
from shared.events.definitions.user import UserDeleted, UserLoggedIn
from tests.clients.polling import eventually
from tests.clients.stream import Stream
from tests.integration.stream.conftest import World, now, pushed


def number_of(world: World, project: str) -> int:
    ((number,),) = world.sql("SELECT id FROM core.projects WHERE name = %s ORDER BY id DESC LIMIT 1", project)
    assert isinstance(number, int)
    return number


def subjects(stream: Stream) -> list[str]:
    return [event["subject"] for event in stream.events if "subject" in event]


def ended(stream: Stream, reason: str) -> None:
    assert eventually(stream.ended.is_set, within=10, what=f"the stream ends: {reason}")
    assert stream.names[-1] == "end"
    assert stream.events[-1]["reason"] == reason


def after_marker(world: World, *streams: Stream) -> None:
    """Wait until each stream has what everybody may see and that happened last."""
    sequence = world.push("library", tag="marker")
    for stream in streams:
        stream.wait_for(lambda event: event.get("sequence") == str(sequence), what="the marker")


def in_project(project: str, number: int) -> list[Event]:
    return [
        pushed(project, tag="visible"),
        ProjectUpdated(project=project, project_id=number, changed=("public",), public=False),
        MemberCreated(project=project, project_id=number, member_id=1, member="bob", role="guest"),
        RobotCreated(robot_id=1, robot=f"robot${project}+ci", project=project, project_id=number),
    ]


SYSTEM: list[Event] = [
    UserLoggedIn(username="somebody"),
    ConfigurationUpdated(changed=("auth_mode",)),
    RobotCreated(robot_id=2, robot="robot$everywhere"),
]


@pytest.mark.parametrize(
    ("role", "seen"),
    [
        ("projectAdmin", ["artifact", "project", "member", "robot"]),
        ("maintainer", ["artifact"]),
        ("developer", ["artifact"]),
        ("guest", ["artifact"]),
        ("limitedGuest", ["artifact"]),
        (None, []),
        ("admin", ["artifact", "project", "member", "robot", "user", "configuration", "robot"]),
    ],
)
def test_each_role_sees_its_events_and_no_others(world: World, role: str | None, seen: list[str]) -> None:
    project = world.project()
    name = "admin" if role == "admin" else world.member(project, role) if role else world.user()
    with world.stream(name) as live:
        last = world.happen(*in_project(project, number_of(world, project)), *SYSTEM)
        after_marker(world, live)
    with world.stream(name, since=str(last - 7)) as replayed:
        after_marker(world, replayed)
    for stream in (live, replayed):
        nouns = [event["type"].split(".")[1] for event in stream.events if int(event["sequence"]) <= last]
        assert nouns == seen


def test_tenants_never_see_each_other(world: World) -> None:
    one, other = world.project(), world.project()
    alice, bob = world.member(one, "projectAdmin"), world.member(other, "projectAdmin")
    with world.stream(alice) as of_alice, world.stream(bob) as of_bob:
        for turn in range(20):
            world.push(one, tag=f"v{turn}")
            world.push(other, tag=f"v{turn}")
        after_marker(world, of_alice, of_bob)
    for stream, own in ((of_alice, one), (of_bob, other)):
        assert {event["data"]["project"] for event in stream.events} == {own, "library"}
        assert len(stream.events) == 21


def test_a_public_project_is_seen_by_anybody_signed_in(world: World) -> None:
    project = world.project(public=True)
    with world.stream(world.user()) as stream:
        world.push(project)
        stream.wait_for(lambda event: event["subject"] == f"{project}/app:v1", what="the push")
        assert "client" not in stream.events[0]["data"]


def test_address_and_user_agent_are_for_readers_of_the_log(world: World) -> None:
    project = world.project()
    lead, guest = world.member(project, "projectAdmin"), world.member(project, "guest")
    with world.stream(lead) as whole, world.stream(guest) as stripped:
        world.push(project)
        client = {"address": "192.0.2.7", "user_agent": "docker/28.2.2"}
        assert whole.wait_for(lambda _: True, what="the push")["data"]["client"] == client
        assert "192.0.2.7" not in str(stripped.wait_for(lambda _: True, what="the push"))


@pytest.mark.parametrize("exists", [True, False])
def test_a_project_that_may_not_be_seen_and_a_missing_one_are_refused_alike(world: World, *, exists: bool) -> None:
    project = world.project() if exists else "no-such-project"
    for parameter, value in (("project", project), ("repository", f"{project}/app")):
        with world.stream(world.user(), **{parameter: value}) as stream:
            assert stream.status == requests.codes.forbidden
            assert json.loads(stream.refusal) == {
                "errors": [{"code": "FORBIDDEN", "message": "you may not see the events of this project"}]
            }


def test_a_removed_member_gets_nothing_more_and_the_stream_ends(world: World) -> None:
    project = world.project()
    name = world.member(project, "guest")
    with world.stream(name) as everything, world.stream(name, project=project) as narrow:
        world.push(project, tag="before")
        for stream in (everything, narrow):
            stream.wait_for(lambda event: event["subject"].endswith(":before"), what="the push before")
        world.sql("DELETE FROM core.members WHERE project_id = %s", number_of(world, project))
        number = number_of(world, project)
        world.happen(
            MemberDeleted(project=project, project_id=number, member_id=1, member=name, role="guest"),
            pushed(project, tag="after"),
        )
        for stream in (everything, narrow):
            ended(stream, "rights")
            assert subjects(stream) == [f"{project}/app:before"]


def test_a_right_that_is_lost_without_an_event_ends_the_stream_within_five_seconds(world: World) -> None:
    project = world.project()
    name = world.member(project, "guest")
    with world.stream(name) as stream:
        world.sql("DELETE FROM core.members WHERE project_id = %s", number_of(world, project))
        eventually(stream.ended.is_set, within=5, what="the stream ends within five seconds")
        ended(stream, "rights")


def test_a_lesser_role_ends_the_stream_and_a_greater_one_does_not(world: World) -> None:
    project = world.project()
    lead, guest = world.member(project, "projectAdmin"), world.member(project, "guest")
    with world.stream(lead) as sinking, world.stream(guest) as rising:
        world.sql("UPDATE core.members SET role_id = 4 - role_id WHERE project_id = %s", number_of(world, project))
        ended(sinking, "rights")
        world.happen(MemberCreated(project=project, project_id=number_of(world, project), member_id=1, member="x",
                                   role="guest"))  # fmt: skip
        rising.wait_for(lambda event: event["type"] == "breakwater.member.created.v1", what="what only leads see")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.users SET disabled = true WHERE username = %s",
        "UPDATE core.users SET deleted_at = now() WHERE username = %s",
        "UPDATE core.users SET credential_version = credential_version + 1 WHERE username = %s",
    ],
    ids=["disabled", "deleted", "password changed"],
)
def test_the_stream_ends_with_the_account(world: World, change: str) -> None:
    name = world.user()
    with world.stream(name) as stream:
        world.sql(change, name)
        world.happen(UserDeleted(username=name))
        ended(stream, "account")


def test_the_stream_of_an_administrator_who_is_none_any_more_ends(world: World) -> None:
    name = world.user(admin=True)
    with world.stream(name) as stream:
        world.sql("UPDATE core.users SET sysadmin = false WHERE username = %s", name)
        ended(stream, "rights")


def test_a_robot_sees_what_it_was_given_and_ends_with_its_project(world: World) -> None:
    project, other = world.project(), world.project()
    name = world.robot(project)
    with world.stream(name) as stream:
        world.push(other)
        world.push(project)
        stream.wait_for(lambda event: event["subject"] == f"{project}/app:v1", what="the push")
        world.sql("UPDATE core.projects SET deleted_at = now() WHERE name = %s", project)
        ended(stream, "account")
        assert subjects(stream) == [f"{project}/app:v1"]


def test_the_end_of_a_project_is_told_to_its_members(world: World) -> None:
    project = world.project()
    lead = world.member(project, "projectAdmin")
    number = number_of(world, project)
    with world.stream(lead, project=project) as narrow, world.stream(lead) as everything:
        world.sql("UPDATE core.projects SET deleted_at = now() WHERE name = %s", project)
        world.happen(ProjectDeleted(project=project, project_id=number), pushed(project, tag="ghost"))
        ended(narrow, "project")
        after_marker(world, everything)
        for stream in (narrow, everything):
            assert f"{project}/app:ghost" not in subjects(stream)
            assert project in subjects(stream)


def test_events_of_an_earlier_project_of_the_same_name_stay_hidden(world: World) -> None:
    project = world.project()
    first = world.happen(pushed(project, tag="old"), at=now() - timedelta(minutes=10))
    world.sql("UPDATE core.projects SET deleted_at = now() WHERE name = %s", project)
    world.sql("INSERT INTO core.projects (name, owner_id) VALUES (%s, 1)", project)
    newcomer = world.member(project, "projectAdmin")
    with world.stream(newcomer, since=str(first - 1)) as stream:
        world.push(project, tag="new")
        stream.wait_for(lambda event: event["subject"].endswith(":new"), what="the push into the new project")
        assert subjects(stream) == [f"{project}/app:new"]


def test_anonymous_and_wrong_credentials_are_refused(world: World) -> None:
    for name, password in ((None, None), (world.user(), "Wrong1password"), ("nobody", "Wrong1password"), ("", "")):
        with Stream(world.url, (name, password) if name is not None and password is not None else None) as stream:
            assert stream.status == requests.codes.unauthorized
            assert json.loads(stream.refusal)["errors"][0]["code"] == "UNAUTHORIZED"
