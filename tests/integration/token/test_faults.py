"""A database that is gone, slow, frozen or back again: 503 at once, recovery by itself, nothing lost unsaid."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest

from tests import factories
from tests.bench.cpu import descendants
from tests.integration.token.mount import Answer, Mount
from tests.servers import stand_still, wait_for

Rows = psycopg.Connection[Any]
PULL = "repository:library/app:pull"


@pytest.fixture(scope="module", autouse=True)
def anna(rows: Rows) -> None:
    factories.user(rows, "anna")


def _terminate(mount: Mount) -> int:
    with mount.database.server.connect() as connection:
        row = connection.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = %s AND usename = 'breakwater_token'",
            (mount.database.name,),
        ).fetchone()
    assert row is not None
    return int(row[0])


@contextmanager
def _away(mount: Mount) -> Iterator[None]:
    """The database takes no connections, and those there were are gone."""
    with mount.database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {mount.database.name} ALLOW_CONNECTIONS false".encode())
        _terminate(mount)
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {mount.database.name} ALLOW_CONNECTIONS true".encode())


def _is_unavailable(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.headers.get("retry-after")) == (503, "UNAVAILABLE", "1")


def _recovers(mount: Mount) -> None:
    wait_for(lambda: mount.get("anna", PULL).status == 200, seconds=5, what="tokens are handed out again")


def test_a_lost_connection_costs_no_request(mount: Mount) -> None:
    assert mount.get("anna", PULL).status == 200
    assert _terminate(mount) > 0
    assert mount.get("anna", PULL).status == 200


def test_without_the_database_everything_is_503_until_it_is_back(mount: Mount) -> None:
    refresh = mount.get("anna", offline_token="true").json["refresh_token"]
    with _away(mount):
        for _ in range(3):
            assert _is_unavailable(mount.get("anna", PULL))
            assert _is_unavailable(mount.get(None, PULL))
            assert _is_unavailable(mount.get("anna", PULL, password="wrong"))
            assert _is_unavailable(mount.post(grant_type="refresh_token", refresh_token=refresh))
        assert mount.send("GET", "/readyz").status == 503
    _recovers(mount)
    assert mount.send("GET", "/readyz").status == 200


def test_a_slow_database_is_503_within_seconds_and_holds_nobody_up_for_longer(mount: Mount, rows: Rows) -> None:
    assert mount.get("anna", PULL).status == 200
    with rows.transaction():
        rows.execute("LOCK TABLE core.users IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        assert _is_unavailable(mount.get("anna", PULL))
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        assert _is_unavailable(mount.get("anna", PULL))
        assert time.monotonic() - begun < 0.4
    _recovers(mount)


def test_a_query_that_took_too_long_is_no_lost_database(mount: Mount, rows: Rows) -> None:
    connected = "SELECT array_agg(pid ORDER BY pid) FROM pg_stat_activity WHERE usename = 'breakwater_token'"
    assert mount.get("anna", PULL).status == 200
    before = rows.execute(connected).fetchone()
    with rows.transaction():
        rows.execute("LOCK TABLE core.users IN ACCESS EXCLUSIVE MODE")
        for _ in range(2):  # the second one while the database is left alone
            answer = mount.get("anna", PULL)
            assert _is_unavailable(answer)
            assert answer.json["errors"][0]["message"].startswith("the database took too long over this")
    _recovers(mount)
    assert rows.execute(connected).fetchone() == before


def test_a_frozen_backend_is_given_up(mount: Mount, rows: Rows) -> None:
    assert mount.get("anna", PULL).status == 200
    frozen = [
        row[0]
        for row in rows.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = 'breakwater_token'"
        ).fetchall()
    ]
    stand_still(*frozen)
    try:
        begun = time.monotonic()
        assert _is_unavailable(mount.get("anna", PULL))
        assert time.monotonic() - begun < 3
        _recovers(mount)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)


def test_a_burst_of_connections_waits_for_a_busy_worker(mount: Mount) -> None:
    workers = [pid for pid in descendants(mount.process.pid) if pid != mount.process.pid]
    stand_still(*workers)
    try:
        with ExitStack() as opened:
            for _ in range(300):
                connection = opened.enter_context(socket.socket(socket.AF_UNIX))
                connection.setblocking(False)
                connection.connect(str(mount.socket))
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    assert mount.get("anna", PULL).status == 200


def test_a_login_that_cannot_be_written_down_at_once_is_answered_and_written_down_later(
    mount: Mount, rows: Rows
) -> None:
    assert mount.get("anna").status == 200
    before = len(mount.events("user.logged_in"))
    with rows.transaction():
        rows.execute("LOCK TABLE events.outbox IN SHARE ROW EXCLUSIVE MODE")
        begun = time.monotonic()
        assert mount.get("anna").status == 200
        assert time.monotonic() - begun < 2
    wait_for(lambda: len(mount.events("user.logged_in")) == before + 1, seconds=5, what="the login is told of")


def test_a_stop_waits_for_what_has_to_be_written_down(mount: Mount, rows: Rows) -> None:
    before = len(mount.events("user.logged_in"))
    with rows.transaction():
        rows.execute("LOCK TABLE events.outbox IN SHARE ROW EXCLUSIVE MODE")
        assert mount.get("anna").status == 200
        os.kill(mount.process.pid, signal.SIGTERM)
        time.sleep(1)
    mount.process.wait(20)
    assert len(mount.events("user.logged_in")) == before + 1
