"""The log's days are made ahead and dropped whole, but never with what is not published; old ids are forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from shared.postgres import connect
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.relaying import head, relay, rows, write


def age_partition(database: Database, *, sequence: int) -> None:
    with database.superuser() as connection:
        connection.execute("SET ROLE breakwater_owner")
        connection.execute(
            "CREATE TABLE events.log_20200101 PARTITION OF events.log "
            "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        )
        connection.execute(
            "INSERT INTO events.log VALUES (%s, gen_random_uuid(), 't', 'k', 'p', '{}', '2020-01-01 12:00Z')",
            (sequence,),
        )


def partitions(database: Database) -> list[str]:
    return [
        row[0] for row in rows(database, "SELECT relname FROM pg_class WHERE relname ~ '^log_[0-9]{8}$' ORDER BY 1")
    ]


@pytest.mark.parametrize(("published", "kept"), [(7, False), (6, True)])
def test_old_days_go_once_they_are_published(database: Database, published: int, *, kept: bool) -> None:
    age_partition(database, sequence=7)
    with database.superuser() as connection:
        connection.execute("UPDATE events.relay SET last_sequence = 7, published_through = %s", (published,))
    with connect(database.settings("relay")) as connection:
        connection.execute("SELECT events.trim_log(7)")
    assert ("log_20200101" in partitions(database)) is kept


def test_days_ahead_are_made(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with database.superuser() as connection:
        for name in partitions(database):
            connection.execute(f"DROP TABLE events.{name}".encode())
    with relay(database, rabbit, tmp_path / "log"), connect(database.settings("core")) as writer:
        write(writer, 1)
        eventually(lambda: head(database), (1, 1))
    assert len(partitions(database)) >= 4


def test_days_are_made_while_somebody_reads(database: Database) -> None:
    """As a dump does for an hour."""
    before = partitions(database)
    with database.superuser() as connection:
        for name in before[2:]:
            connection.execute(f"DROP TABLE events.{name}".encode())
    with database.superuser() as reader, reader.transaction():
        reader.execute("SELECT * FROM events.log")
        with connect(database.settings("relay")) as connection:
            connection.execute("SET lock_timeout = '1s'")
            for _ in range(2):
                connection.execute("SELECT events.prepare_log(3)")
    # one more where the day has changed since the database was made
    assert set(before) <= set(partitions(database))


def test_days_are_made_by_several_at_once(database: Database) -> None:
    """As number, publication and upkeep do it at the first moment of a day."""
    before = partitions(database)
    start = Barrier(8)

    def prepare(_number: int) -> None:
        with connect(database.settings("relay")) as connection:
            start.wait(20)
            connection.execute("SELECT events.prepare_log(3)")

    for _ in range(5):
        with database.superuser() as connection:
            for name in before[2:]:
                connection.execute(f"DROP TABLE events.{name}".encode())
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(prepare, range(8)))
        assert set(before) <= set(partitions(database))


def test_remembered_ids_are_forgotten_in_time(database: Database, rabbit: Broker, tmp_path: Path) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO events.seen SELECT gen_random_uuid(), now() - make_interval(days => day) "
            "FROM generate_series(1, 30) AS day"
        )
    with relay(database, rabbit, tmp_path / "log"):
        eventually(lambda: rows(database, "SELECT count(*) FROM events.seen"), [(13,)])


def test_all_that_is_due_is_forgotten_however_much_it_is(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with database.superuser() as connection:
        connection.execute(
            "INSERT INTO events.seen SELECT gen_random_uuid(), now() - interval '15 days' "
            "FROM generate_series(1, 25000)"
        )
    with relay(database, rabbit, tmp_path / "log"):
        eventually(lambda: rows(database, "SELECT count(*) FROM events.seen"), [(0,)])
