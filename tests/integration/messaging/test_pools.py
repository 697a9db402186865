"""The parts that work jobs say so while they run, as they really run; what they leave behind is dropped by the next."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Table
from sqlalchemy.orm import Session, sessionmaker

from services.api import tables as core
from services.audit import tables as audit
from services.webhook import tables as webhook
from shared.db import engine, session_factory
from shared.pools import LISTED, Pool, beat, leave, list_pools
from tests.integration.broker import Broker, Process, eventually, running
from tests.integration.conftest import Database

PARTS = {
    "webhook": ("services.webhook.deliveries:DeliveryService", webhook.pools, 256),
    "metadata": ("services.api.service:MetadataService", core.pools, 1),
    "audit": ("services.audit.service:AuditService", audit.pools, 1),
}


@contextmanager
def acting_as(database: Database, part: str) -> Iterator[sessionmaker[Session]]:
    bind = engine(database.settings(part))
    yield session_factory(bind)
    bind.dispose()


def listed(database: Database, table: Table) -> list[Pool]:
    """As the API sees them."""
    with acting_as(database, "core") as sessions, sessions() as session:
        return [each.pool for each in list_pools(session, [table])]


def rows(database: Database, query: str) -> list[tuple[Any, ...]]:
    with database.superuser() as connection:
        return connection.execute(query.encode()).fetchall()


@contextmanager
def part_of(database: Database, rabbit: Broker, part: str, log: Path) -> Iterator[Process]:
    secrets = database.server.home / "secrets"
    needed = {"config-key": Fernet.generate_key().decode(), "metadata/system-credential": "of a test"}
    for name, content in needed.items():
        if not secrets.joinpath(name).exists():
            secrets.joinpath(name).parent.mkdir(exist_ok=True)
            secrets.joinpath(name).write_text(content)
    with running(PARTS[part][0], database.settings(part, amqp_port=rabbit.port), log) as process:
        process.has_logged("started")
        yield process


@pytest.mark.parametrize("part", PARTS)
def test_a_process_is_listed_from_its_start_to_its_end(
    database: Database, rabbit: Broker, tmp_path: Path, part: str
) -> None:
    _, table, concurrency = PARTS[part]
    with part_of(database, rabbit, part, tmp_path / "log") as process:
        eventually(lambda: len(listed(database, table)), 1)
        [pool] = listed(database, table)
        assert (pool.host, pool.concurrency) == (os.uname().nodename, concurrency)
        assert process.terminate() == 0
    assert listed(database, table) == []
    assert rows(database, f"SELECT id FROM {table.fullname}") == []  # noqa: S608 - a name of the code's own
    assert process.lines("work_interrupted") == []


def test_a_killed_process_is_listed_until_it_has_been_silent_and_the_next_one_drops_it(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with part_of(database, rabbit, "webhook", tmp_path / "log") as process:
        eventually(lambda: len(listed(database, webhook.pools)), 1)
        process.kill()
    [killed] = listed(database, webhook.pools)
    rows(database, "UPDATE webhook.pools SET heartbeat_at = now() - interval '61 s' RETURNING id")
    assert listed(database, webhook.pools) == []
    with part_of(database, rabbit, "webhook", tmp_path / "log"):
        eventually(lambda: len(listed(database, webhook.pools)), 1)
        [(number,)] = rows(database, "SELECT id FROM webhook.pools")
        assert number != killed.id


def test_a_process_goes_on_beating_after_the_database_was_away(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with part_of(database, rabbit, "webhook", tmp_path / "log") as process:
        eventually(lambda: len(listed(database, webhook.pools)), 1)
        [before] = listed(database, webhook.pools)
        rows(database, "DELETE FROM webhook.pools RETURNING id")
        name = database.name
        with database.server.connect("postgres") as connection:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            beats = lambda: [line for line in process.lines("work_interrupted") if line["work"] == "beat"]  # noqa: E731
            eventually(lambda: bool(beats()), True, seconds=15)
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())
        eventually(lambda: listed(database, webhook.pools), [before])
        assert len(beats()) < 10
        assert all("exc_info" not in line and "exception" not in line for line in beats())


def test_a_beat_moves_the_heartbeat_and_drops_those_that_are_silent(database: Database) -> None:
    ours, silent, living = (Pool.of_this_process(number) for number in (1, 2, 3))
    beaten = "SELECT heartbeat_at FROM core.pools WHERE concurrency = 1"
    with acting_as(database, "metadata") as sessions:

        def say(pool: Pool) -> None:
            with sessions.begin() as session:
                beat(session, core.pools, pool)

        for pool in (ours, silent, living):
            say(pool)
        [(first,)] = rows(database, beaten)
        with database.superuser() as connection:
            past = LISTED + timedelta(seconds=1)
            connection.execute("UPDATE core.pools SET heartbeat_at = now() - %s WHERE id = %s", (past, silent.id))
        say(replace(ours, concurrency=9))
        [(second,)] = rows(database, beaten)
        assert second > first
        assert {pool.id for pool in listed(database, core.pools)} == {ours.id, living.id}
        assert rows(database, "SELECT count(*) FROM core.pools") == [(2,)]
        with sessions.begin() as session:
            leave(session, core.pools, ours)
        assert listed(database, core.pools) == [living]


def test_a_pool_that_was_dropped_while_it_stood_still_is_listed_again(database: Database) -> None:
    ours = Pool.of_this_process(1)
    with acting_as(database, "metadata") as sessions:
        for _ in range(2):
            with sessions.begin() as session:
                beat(session, core.pools, ours)
            assert listed(database, core.pools) == [ours]
            rows(database, "DELETE FROM core.pools RETURNING id")
