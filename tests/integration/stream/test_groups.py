"""Rights that somebody has by a group of a directory, and how long they are believed."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from gateway.events.asking import read_wish
from gateway.events.hub import Hub
from shared.auth.principals import Principal, PrincipalKind
from tests import factories
from tests.clients.polling import eventually
from tests.integration.stream.conftest import ROLES, World


def _member_by_group(world: World, project: str, role: str) -> str:
    """A user whom a group makes a member."""
    name = world.user()
    with world.database.superuser() as connection:
        group = factories.group(connection, project, f"cn={project},dc=test")
        connection.execute(
            "INSERT INTO core.user_group_members (user_id, group_id) SELECT id, %s FROM core.users WHERE username = %s",
            (group, name),
        )
        connection.execute(
            "INSERT INTO core.members (project_id, group_id, role_id) SELECT id, %s, %s FROM core.projects"
            " WHERE name = %s",
            (group, ROLES[role], project),
        )
    return name


def test_a_member_by_a_group_sees_the_project_until_he_leaves_the_group(world: World) -> None:
    project, other = world.project(), world.project()
    name = _member_by_group(world, project, "guest")
    with world.stream(name) as stream:
        world.push(other, tag="hidden")
        world.push(project, tag="seen")
        stream.wait_for(lambda event: event["subject"].endswith(":seen"), what="the push into the project")
        world.sql(
            "DELETE FROM core.user_group_members m USING core.users u WHERE u.id = m.user_id AND u.username = %s", name
        )
        eventually(stream.ended.is_set, within=10, what="the stream ends")
        assert stream.events[-1]["reason"] == "rights"
        assert [event["subject"] for event in stream.events[:-1]] == [f"{project}/app:seen"]


def test_own_role_and_the_groups_add_up(world: World) -> None:
    project = world.project()
    name = _member_by_group(world, project, "projectAdmin")
    world.member(project, "guest", name=name)
    with world.stream(name) as stream:
        world.push(project)
        seen = stream.wait_for(lambda event: event["subject"].startswith(project), what="the push")
        assert "client" in seen["data"]  # for readers of the log


def test_a_stream_that_lasts_a_while_ends_with_the_reason_and_others_go_on(world: World) -> None:
    principal = Principal(kind=PrincipalKind.USER, id=1, name="admin", is_admin=True, credential_version=1)

    async def follow() -> tuple[bytes, bool]:
        hub = Hub(world.database.settings("events"))
        await hub.replay.open()
        running = asyncio.create_task(hub.run())
        while hub._last is None:  # noqa: ASYNC110 - the hub tells nobody that it has begun
            await asyncio.sleep(0.05)
        endless = await hub.open(principal, read_wish())
        stream = await hub.open(principal, read_wish(), lasts=timedelta(seconds=0.2))
        said = b""
        async with asyncio.timeout(20):
            async for frame in stream:
                said += frame
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await hub.replay.close()
        return said, endless.ending is None

    said, goes_on = asyncio.run(follow())
    assert b'"reason": "time"' in said
    assert goes_on
