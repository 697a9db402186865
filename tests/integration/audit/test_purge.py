"""Purging drops old content, and leaves a chain that still proves itself."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.audit.commands import Purge, purge
from services.audit.errors import PurgeRefused
from services.audit.queries import AuditFilter, list_records
from services.audit.queries.verification import verify
from shared.postgres import connect
from tests.integration.audit.conftest import KEY, NOW, Record, context, envelope, push
from tests.integration.conftest import Database


def purged(sessions: sessionmaker[Session], older_than: datetime, now: datetime) -> Purge:
    with sessions.begin() as session:
        return purge(session, older_than=older_than, key=KEY, now=now, context=context("admin"))


@pytest.fixture
def three_months(record: Record) -> None:
    for month, project in enumerate(("old", "library", "library")):
        for day in range(3):
            record(push(10 * month + day, project=project), now=NOW + timedelta(days=31 * month + day))


@pytest.mark.usefixtures("three_months")
def test_a_purge_drops_what_is_older_and_keeps_the_rest(sessions: sessionmaker[Session], database: Database) -> None:
    done = purged(sessions, NOW + timedelta(days=32), NOW + timedelta(days=90))
    assert done == Purge(records=4, through=4)
    with sessions() as session:
        page = list_records(session, filter=AuditFilter(), limit=100)
        assert (page.total, len(page.records)) == (5, 5)
    with database.superuser() as connection:
        outbox = connection.execute(
            b"SELECT type, body->'data'->>'records', body->'data'->>'through' FROM events.outbox"
        ).fetchall()
        partitions = connection.execute(
            b"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit.records'::regclass ORDER BY 1"
        ).fetchall()
        tallied = connection.execute(
            b"SELECT project, records FROM audit.tallies WHERE dimension = '' ORDER BY project"
        ).fetchall()
    assert outbox == [("breakwater.audit.purged.v1", "4", "4")]
    assert partitions == [("audit.records_202606",), ("audit.records_202607",)]
    assert tallied == [("", 5), ("library", 5)]


@pytest.mark.usefixtures("three_months")
def test_a_purged_record_still_proves_itself_and_grows_on(
    sessions: sessionmaker[Session], database: Database, record: Record
) -> None:
    purged(sessions, NOW + timedelta(days=32), NOW + timedelta(days=90))
    record(push(99), now=NOW + timedelta(days=91))
    purged(sessions, NOW + timedelta(days=63, hours=1), NOW + timedelta(days=92))
    with connect(database.settings("audit")) as connection:
        verdict = verify(connection, KEY)
    assert (verdict.links, verdict.purged, verdict.whole) == (10, 8, True)


@pytest.mark.usefixtures("three_months")
@pytest.mark.parametrize(
    ("tampering", "sequence", "reason"),
    [
        ("DELETE FROM audit.records WHERE sequence = 5", 5, "its record was deleted"),
        (
            "UPDATE audit.anchors SET sequence = 6; DELETE FROM audit.records WHERE sequence < 7",
            6,
            "not made by a purge",
        ),
        ("UPDATE audit.anchors SET records = 3", 4, "not made by a purge"),
        ("DELETE FROM audit.anchors", 1, "its record was deleted"),
        ("UPDATE audit.chain SET row_hash = '\\x00' WHERE sequence = 2", 2, "does not follow"),
        ("DELETE FROM audit.chain WHERE sequence = 1", 1, "missing"),
    ],
)
def test_tampering_around_a_purge_is_found(
    sessions: sessionmaker[Session], database: Database, tampering: str, sequence: int, reason: str
) -> None:
    purged(sessions, NOW + timedelta(days=32), NOW + timedelta(days=90))
    with database.superuser() as connection:
        connection.execute(tampering.encode())
    with connect(database.settings("audit")) as connection:
        broken = verify(connection, KEY).broken
    assert broken is not None
    assert broken.sequence == sequence
    assert reason in broken.reason


@pytest.mark.usefixtures("three_months")
def test_a_purge_of_the_last_hour_or_of_nothing_is_refused(sessions: sessionmaker[Session], database: Database) -> None:
    now = NOW + timedelta(days=90)
    with pytest.raises(PurgeRefused, match="last hour"):
        purged(sessions, now - timedelta(minutes=59), now)
    with pytest.raises(PurgeRefused, match="no record is from before 2026-05-17"):
        purged(sessions, NOW, now)
    purged(sessions, NOW + timedelta(days=32), now)
    with pytest.raises(PurgeRefused, match="no record is from before"):
        purged(sessions, NOW + timedelta(days=32), now)
    with database.superuser() as connection:
        assert connection.execute(b"SELECT count(*) FROM audit.anchors").fetchone() == (1,)


def test_an_event_of_purged_content_is_not_recorded_again(sessions: sessionmaker[Session], record: Record) -> None:
    old = envelope(push(1))
    record(old)
    purged(sessions, NOW + timedelta(days=1), NOW + timedelta(days=90))
    assert record(old, push(2), now=NOW + timedelta(days=91)) == 1
