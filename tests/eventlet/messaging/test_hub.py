"""Nothing that a nameko process waits for holds up the others."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import eventlet
import psycopg
import pytest

from shared.db import engine
from shared.errors import Unavailable
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.runner import check_patched
from shared.postgres import connect
from shared.settings import Settings
from tests.integration.conftest import Database

TICK = 0.01


@contextmanager
def no_stall(*, longest: float = 0.25) -> Iterator[None]:
    """Fail where another green thread was held up for longer."""
    gaps: list[float] = []

    def tick() -> None:
        last = time.monotonic()
        while True:
            eventlet.sleep(TICK)
            now = time.monotonic()
            gaps.append(now - last)
            last = now

    ticking = eventlet.spawn(tick)
    eventlet.sleep(TICK)
    yield
    ticking.kill()
    assert gaps, "nobody else ran at all"
    assert max(gaps) < longest


def test_psycopg_waits_through_eventlet() -> None:
    check_patched()


def test_queries_run_side_by_side(database: Database) -> None:
    def sleep() -> None:
        with connect(database.settings("audit")) as connection:
            connection.execute("SELECT pg_sleep(0.5)")

    begun = time.monotonic()
    for thread in [eventlet.spawn(sleep) for _ in range(4)]:
        thread.wait()
    assert time.monotonic() - begun < 1.5


@pytest.mark.parametrize("through", ["psycopg", "sqlalchemy"])
def test_a_slow_query_stalls_nobody(database: Database, through: str) -> None:
    settings = database.settings("audit")
    with no_stall():
        if through == "psycopg":
            with connect(settings) as connection:
                connection.execute("SELECT pg_sleep(1)")
        else:
            bind = engine(settings)
            with bind.connect() as session:
                session.exec_driver_sql("SELECT pg_sleep(1)")
            bind.dispose()


def test_waiting_for_notify_stalls_nobody(database: Database) -> None:
    with no_stall(), connect(database.settings("relay")) as connection:
        connection.execute("LISTEN breakwater_outbox")
        assert list(connection.notifies(timeout=1)) == []


@contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def to_database(settings: Settings) -> None:
    with suppress(Unavailable):
        connect(settings)


def to_broker(settings: Settings) -> None:
    with suppress(*BROKER_ERRORS), connected(settings):
        pass


@pytest.mark.parametrize("attempt", [to_database, to_broker])
def test_a_server_that_does_not_answer_stalls_nobody_and_is_given_up(
    tmp_path: Path, attempt: Callable[[Settings], None]
) -> None:
    for name in ("database-password", "amqp-password"):
        file = tmp_path / "secrets" / "audit" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("-")
    with silent_server() as port:
        settings = Settings(
            home=tmp_path, run=tmp_path, part="audit", database_host="127.0.0.1", database_port=port, amqp_port=port
        )
        begun = time.monotonic()
        with no_stall():
            attempt(settings)
        assert 1 < time.monotonic() - begun < 8


def test_a_process_that_patched_too_late_refuses_to_run() -> None:
    program = "import psycopg; from shared.messaging import runner; runner.patch(); runner.check_patched()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True, text=True, check=False, timeout=60,
        env={name: value for name, value in os.environ.items() if name != "PSYCOPG_WAIT_FUNC"},
    )  # fmt: skip
    assert done.returncode == 1
    assert "imported before the runner had patched" in done.stderr


def test_a_cancelled_statement_is_an_error_of_the_database(database: Database) -> None:
    with (
        connect(database.settings("audit"), statement_timeout_ms=200) as connection,
        no_stall(),
        pytest.raises(psycopg.errors.QueryCanceled),
    ):
        connection.execute("SELECT pg_sleep(5)")
