"""A browser listens with the portal's session, as long as that session lasts and for no page of another site."""

import json
import time
from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
import requests
from sqlalchemy.orm import Session

from gateway.events.hub import REFRESH_SECONDS
from shared.auth import sessions
from shared.auth.authenticate import Client, Method
from shared.db import engine
from shared.directory import find_user, plain
from shared.postgres import connect
from tests.clients.stream import Stream
from tests.integration.stream.conftest import PASSWORD, World, now

URL = "/api/v2.0/events/stream"
CHANGE = "UPDATE core.users SET"
OWNER = "WHERE id = (SELECT user_id FROM gateway.sessions WHERE token_hash = %s)"


@pytest.fixture
def begin(world: World) -> Callable[..., str]:
    """Begins somebody's session, as signing in with the form does; returns the cookie."""
    def begin(name: str, *, ago: timedelta = timedelta(), method: Method = Method.DATABASE) -> str:
        bind = engine(world.database.settings("core"))
        with Session(bind) as database:
            user = find_user(plain(database), name)
            assert user
            cookie = sessions.begin(database, user.principal, method, Client(address="192.0.2.7"), now() - ago)
            database.commit()
        bind.dispose()
        return cookie

    return begin


def listening(world: World, cookie: str, *, sent: dict[str, str] | None = None, **filters: str) -> Stream:
    return Stream(world.url, None, sent={"Cookie": f"sid={cookie}", **(sent or {})}, **filters)


def refused(stream: Stream, status: int, code: str) -> None:
    with stream:
        assert stream.status == status
        assert json.loads(stream.refusal)["errors"][0]["code"] == code


def ended(stream: Stream, reason: str) -> None:
    """Within the time of a look at the rights, and a little for a busy machine."""
    assert stream.ended.wait(8), f"the stream ends: {reason}"
    assert stream.events[-1]["reason"] == reason


def test_a_session_sees_what_its_account_may_see(world: World, begin: Callable[..., str]) -> None:
    mine, other = world.project(), world.project()
    with listening(world, begin(world.member(mine, "guest"))) as stream:
        world.push(other)
        world.push(mine)
        stream.wait_for(lambda event: event["subject"] == f"{mine}/app:v1", what="the push")
        assert [event["subject"] for event in stream.events] == [f"{mine}/app:v1"]
    with listening(world, begin(world.user()), project=mine) as stream:
        assert stream.status == requests.codes.forbidden


def test_a_silent_stream_outlives_looks_at_the_session(world: World, begin: Callable[..., str]) -> None:
    name = world.user()
    with listening(world, begin(name)) as stream:
        time.sleep(REFRESH_SECONDS + 2)
        assert not stream.ended.is_set()


@pytest.mark.parametrize("cookie", ["", "unknown", "x" * 5_000, "%00", "é".encode().decode("latin-1")])
def test_a_cookie_of_no_session_is_refused(world: World, cookie: str) -> None:
    refused(listening(world, cookie), 401, "UNAUTHORIZED")


def test_two_cookies_of_the_name_are_none(world: World, begin: Callable[..., str]) -> None:
    refused(listening(world, f"{begin(world.user())}; sid={begin('admin')}"), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("ago", "method", "good"),
    [
        (timedelta(minutes=59), Method.DATABASE, True),
        (timedelta(minutes=61), Method.DATABASE, False),  # idle
        (timedelta(minutes=59), Method.LDAP, True),
        (timedelta(minutes=60), Method.LDAP, False),  # a directory is asked again
    ],
)
def test_a_session_is_good_for_as_long_as_in_the_portal(
    world: World, begin: Callable[..., str], ago: timedelta, method: Method, good: bool  # noqa: FBT001 - a row of the table
) -> None:
    cookie = begin(world.user(), ago=ago, method=method)
    if good:
        with listening(world, cookie) as stream:
            assert stream.status == requests.codes.ok
    else:
        refused(listening(world, cookie), 401, "UNAUTHORIZED")


def test_listening_does_not_keep_a_session_from_becoming_idle(world: World, begin: Callable[..., str]) -> None:
    cookie = begin(world.user(), ago=timedelta(minutes=30))
    seen = "SELECT seen_at FROM gateway.sessions WHERE token_hash = %s"
    before = world.sql(seen, sessions.fingerprint(cookie))
    with listening(world, cookie) as stream:
        assert stream.status == requests.codes.ok
        assert world.sql(seen, sessions.fingerprint(cookie)) == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.users SET disabled = true WHERE username = %s",
        "UPDATE core.users SET deleted_at = now() WHERE username = %s",
        "UPDATE core.users SET credential_version = credential_version + 1 WHERE username = %s",
    ],
    ids=["disabled", "deleted", "password changed"],
)
def test_a_session_of_an_account_that_changed_opens_nothing(
    world: World, begin: Callable[..., str], change: str
) -> None:
    name = world.user()
    cookie = begin(name)
    world.sql(change, name)
    refused(listening(world, cookie), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("DELETE FROM gateway.sessions WHERE token_hash = %s", "session"),  # log-out
        ("UPDATE gateway.sessions SET expires_at = now() WHERE token_hash = %s", "session"),
        ("UPDATE gateway.sessions SET seen_at = now() - interval '61 minutes' WHERE token_hash = %s", "session"),
        (f"{CHANGE} disabled = true {OWNER}", "account"),
        (f"{CHANGE} credential_version = credential_version + 1 {OWNER}", "account"),
    ],
    ids=["logged out", "too old", "idle", "disabled", "password changed"],
)  # fmt: skip
def test_an_open_stream_ends_with_its_session(
    world: World, begin: Callable[..., str], change: str, reason: str
) -> None:
    name = world.user()
    cookie, other = begin(name), begin(world.user())
    with listening(world, cookie) as stream, listening(world, other) as bystander, world.stream(name) as by_password:
        world.sql(change, sessions.fingerprint(cookie))
        ended(stream, reason)
        assert not bystander.ended.is_set()
        if reason == "session":
            assert not by_password.ended.is_set()


def test_a_shorter_limit_ends_what_is_idle_by_it(world: World, begin: Callable[..., str]) -> None:
    name = world.user()
    idle, fresh = begin(name, ago=timedelta(minutes=10)), begin(name)
    with listening(world, idle) as ends, listening(world, fresh) as stays:
        world.sql("INSERT INTO core.configuration (key, value) VALUES ('session_timeout', '5')")
        try:
            ended(ends, "session")
            refused(listening(world, idle), 401, "UNAUTHORIZED")
            assert not stays.ended.is_set()
        finally:
            world.sql("DELETE FROM core.configuration WHERE key = 'session_timeout'")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "http://registry.test"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.test"}, 403),
        ({"Origin": "http://registry.test.evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[x"}, 403),
    ],
)
def test_a_page_of_another_site_hears_nothing(
    world: World, begin: Callable[..., str], sent: dict[str, str], status: int
) -> None:
    with listening(world, begin(world.user()), sent={"Host": "registry.test", **sent}) as stream:
        assert stream.status == status


def test_a_password_goes_before_a_session(world: World, begin: Callable[..., str]) -> None:
    project = world.project()
    with Stream(
        world.url, (world.member(project, "guest"), PASSWORD), project=project,
        sent={"Cookie": f"sid={begin(world.user())}"},
    ) as stream:  # fmt: skip
        assert stream.status == requests.codes.ok
    refused(
        Stream(world.url, (world.user(), "Wrong1password"), sent={"Cookie": f"sid={begin('admin')}"}),
        401, "UNAUTHORIZED",
    )  # fmt: skip


def test_the_stream_is_read_and_nothing_else(world: World, begin: Callable[..., str]) -> None:
    cookies = {"sid": begin(world.user())}
    for method in ("POST", "PUT", "DELETE", "HEAD"):
        assert requests.request(method, world.url + URL, cookies=cookies, timeout=5).status_code == 405


def test_the_part_reads_no_more_of_a_session_than_it_needs(world: World) -> None:
    with connect(world.database.settings("events")) as connection:
        connection.execute(b"SELECT token_hash, user_id, credential_version, seen_at, expires_at FROM gateway.sessions")
        for statement in (
            b"SELECT address FROM gateway.sessions",
            b"SELECT user_agent FROM gateway.sessions",
            b"UPDATE gateway.sessions SET seen_at = now()",
            b"DELETE FROM gateway.sessions",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
