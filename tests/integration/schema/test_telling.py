"""Telling the database what was counted: added up over processes, for nobody but oneself, lost by no outage."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from structlog.testing import capture_logs

from shared.errors import Unavailable
from shared.metrics.figures import BATCH_SECONDS, CONSUMED, DISK_FREE, FIGURES, HANDLED_THROUGH, Counter
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.postgres import connect
from tests.integration.conftest import Database
from tests.integration.told import silent_for, told

PARTS = ("token", "core", "events", "intake", "relay", "audit", "metadata", "webhook", "replication")


@contextmanager
def shut(database: Database) -> Iterator[None]:
    """The database takes no connections."""
    with database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())


@pytest.mark.parametrize("part", PARTS)
def test_every_part_tells_of_itself(database: Database, part: str) -> None:
    assert silent_for(database, part) is None
    Recorder(database.settings(part), Tally()).tell()
    silence = silent_for(database, part)
    assert silence is not None
    assert silence < 5
    assert told(database, part) == {}


def test_processes_of_a_part_add_up_and_their_states_take_each_other_s_place(database: Database) -> None:
    settings = database.settings("metadata")
    for free in (10, 7):
        tally = Tally()
        tally.count(CONSUMED, "done", by=3)
        tally.time(BATCH_SECONDS, 0.5)
        tally.set(DISK_FREE, free)
        Recorder(settings, tally).tell()
    assert told(database, "metadata") == {
        (CONSUMED.name, "done"): 6,
        (BATCH_SECONDS.name, "1.0"): 2,
        (BATCH_SECONDS.name, "sum"): 1.0,
        (DISK_FREE.name,): 7,
    }


def test_many_processes_at_once_neither_lose_nor_block_each_other(database: Database) -> None:
    settings = database.settings("core")

    def tell(number: int) -> None:
        tally = Tally()
        for outcome in ("done", "again", "dead") if number % 2 else ("dead", "again", "done"):
            tally.count(CONSUMED, outcome)
        Recorder(settings, tally).tell()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(tell, range(80)))
    assert told(database, "core") == {(CONSUMED.name, outcome): 80 for outcome in ("done", "again", "dead")}


def test_what_is_counted_while_the_database_is_away_is_told_afterwards(database: Database) -> None:
    tally = Tally()
    recorder = Recorder(database.settings("audit"), tally)
    tally.count(CONSUMED, "done")
    with shut(database):
        with pytest.raises(Unavailable):
            recorder.tell()
        tally.count(CONSUMED, "done")
        recorder.close()  # says nothing of it, and keeps it too
    assert told(database, "audit") == {}
    recorder.tell()
    assert told(database, "audit") == {(CONSUMED.name, "done"): 2}


def test_a_figure_that_the_database_refuses_is_kept_and_complained_of_once(database: Database) -> None:
    tally = Tally()
    recorder = Recorder(database.settings("audit"), tally)
    tally.count(Counter(name="n\x00l", meaning=""))
    with pytest.raises(psycopg.Error):
        recorder.tell()
    with capture_logs() as lines:
        recorder.close()
        recorder.close()
    assert [line["event"] for line in lines].count("metrics.not_told") == 1
    assert [each.name for each in tally.take()] == ["n\x00l"]


@pytest.mark.parametrize(
    ("part", "statement"),
    [
        *((part, "UPDATE metrics.figures SET value = 0") for part in PARTS),
        *((part, "INSERT INTO metrics.parts VALUES ('relay', now())") for part in PARTS),
        *((part, "SELECT * FROM metrics.figures") for part in PARTS if part != "core"),
        *((part, "SELECT * FROM metrics.outbox") for part in PARTS if part != "core"),
        *((part, "SELECT metrics.waiting_since(0, '{}')") for part in PARTS if part != "core"),
        ("core", "SELECT * FROM events.outbox"),
        ("core", "SELECT * FROM events.relay"),
        ("core", "SELECT * FROM audit.head"),
    ],
)
def test_nobody_may_do_more_than_tell_and_core_alone_may_read(database: Database, part: str, statement: str) -> None:
    with connect(database.settings(part)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_of_what_only_rises_the_process_that_is_ahead_is_heard(database: Database) -> None:
    """Two share a queue out among them: the one that is behind must not make what is done look undone."""
    settings = database.settings("metadata")
    for through in (10, 7, 12, 11):
        tally = Tally()
        tally.set(HANDLED_THROUGH, through)
        Recorder(settings, tally).tell()
    assert told(database, "metadata") == {(HANDLED_THROUGH.name,): 12}


def test_a_part_tells_under_no_name_but_its_own(database: Database) -> None:
    with connect(database.settings("webhook")) as connection:
        connection.execute(
            """SELECT metrics.tell('[{"part": "relay", "name": "x", "labels": [], "value": 1, "adds": true}]')"""
        )
    assert told(database, "webhook") == {("x",): 1}
    assert told(database, "relay") == {}


def test_names_of_figures_fit_what_is_asked_of_them() -> None:
    assert all(each.name.replace("_", "").isalpha() for each in FIGURES)
