"""Events become records once each, in one transaction a batch, by a role that can only add."""

from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.audit.commands import lock_head, prepare_partitions, record_batch
from services.audit.queries import AuditFilter, AuditRecord, list_records
from services.audit.queries.verification import verify
from shared.events import Actor, ActorKind, Event, EventContext
from shared.events.definitions.artifact import ArtifactDeleted, ArtifactPulled
from shared.events.definitions.configuration import ConfigurationUpdated
from shared.events.definitions.member import MemberUpdated
from shared.events.definitions.user import UserLoggedIn, UserLoginFailed
from shared.postgres import connect
from tests.integration.audit.conftest import INSTANCE, KEY, NOW, Record, context, envelope, push
from tests.integration.conftest import Database

DIGEST = f"sha256:{1:064x}"


def listed(sessions: sessionmaker[Session]) -> list[AuditRecord]:
    with sessions() as session:
        return list_records(session, filter=AuditFilter(), limit=100).records


def test_a_record_says_who_what_where_when_and_from_where(record: Record, sessions: sessionmaker[Session]) -> None:
    record(push(1))
    (row,) = listed(sessions)
    assert (row.actor, row.actor_kind, row.operation, row.resource_type) == ("alice", "user", "create", "artifact")
    assert (row.resource, row.project, row.repository, row.digest, row.tag) == (
        "library/app:v1",
        "library",
        "library/app",
        DIGEST,
        "v1",
    )
    assert (row.occurred_at, row.address, row.client, row.request_id) == (NOW, "192.0.2.7", "docker/28.2.2", "r-1")
    assert (row.succeeded, row.occurrences) == (True, 1)


@pytest.mark.parametrize(
    ("event", "around", "expected"),
    [
        (
            UserLoginFailed(username="bob", count=7, minute="2026-05-17T12:00:00Z"),
            context("", ActorKind.ANONYMOUS),
            ("bob", "login", "user", "bob", False, 7),
        ),
        (UserLoggedIn(username="alice"), context(), ("alice", "login", "user", "alice", True, 1)),
        (
            ArtifactPulled(project="library", repository="library/app", digest=DIGEST),
            context("", ActorKind.ANONYMOUS),
            ("anonymous", "pull", "artifact", f"library/app@{DIGEST}", True, 1),
        ),
        (
            ArtifactDeleted(project="library", repository="library/app", digest=DIGEST),
            context("robot$ci", ActorKind.ROBOT),
            ("robot$ci", "delete", "artifact", f"library/app@{DIGEST}", True, 1),
        ),
        (
            ConfigurationUpdated(changed=("robot_name_prefix",)),
            context("admin"),
            ("admin", "update", "configuration", "configuration", True, 1),
        ),
        (
            MemberUpdated(project="library", project_id=1, member_id=3, member="bob", role="maintainer"),
            context("admin"),
            ("admin", "update", "member", "library/bob", True, 1),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_each_kind_of_event_is_recorded_in_the_words_of_the_api(
    record: Record,
    sessions: sessionmaker[Session],
    event: Event,
    around: EventContext,
    expected: tuple[str, str, str, str, bool, int],
) -> None:
    record(envelope(event, around=around))
    (row,) = listed(sessions)
    assert (
        row.actor,
        row.operation,
        row.resource_type,
        row.resource,
        row.succeeded,
        row.occurrences,
    ) == expected


def test_the_same_event_a_thousand_times_is_one_record(record: Record, sessions: sessionmaker[Session]) -> None:
    same = envelope(push(1))
    assert record(same) == 1
    assert record(*[same] * 500) == 0
    assert sum(record(same, envelope(push(2))) for _ in range(10)) == 10
    assert len(listed(sessions)) == 11


def test_a_batch_lost_between_effect_and_acknowledgement_is_recorded_once(
    record: Record, sessions: sessionmaker[Session], database: Database
) -> None:
    batch = [envelope(push(number)) for number in range(50)]
    record(*batch[:20])
    with sessions() as session:  # the process dies before the commit
        record_batch(session, batch[:40], key=KEY, now=NOW)
        session.rollback()
    assert record(*batch[:40]) == 20  # committed, then killed before the acknowledgement: it all comes again
    assert record(*batch) == 10
    assert len(listed(sessions)) == 50
    with connect(database.settings("audit")) as connection:
        assert verify(connection, KEY).whole


def test_text_that_copy_escapes_is_hashed_as_it_comes_back(
    record: Record, sessions: sessionmaker[Session], database: Database
) -> None:
    strange = "tab\tbackslash\\ newline\n nul\0 ünïcode \N{PILE OF POO} lone \ud800 \\N \\t \x7f\x85"
    around = EventContext(
        instance_id=INSTANCE,
        actor=Actor(kind=ActorKind.USER, name=strange),
        request_id=strange,
        address=strange,
        user_agent=strange,
    )
    record(envelope(UserLoggedIn(username="\\N"), around=around), envelope(UserLoggedIn(username=""), around=around))
    with connect(database.settings("audit")) as connection:
        assert verify(connection, KEY).whole
    assert {row.resource for row in listed(sessions)} == {"\\N", ""}
    assert "\0" not in listed(sessions)[0].client


EDITS = (
    b"UPDATE audit.records SET actor = 'bob'",
    b"DELETE FROM audit.records",
    b"INSERT INTO audit.records SELECT * FROM audit.records",
    b"UPDATE audit.chain SET mac = ''",
    b"DELETE FROM audit.chain",
    b"INSERT INTO audit.chain SELECT * FROM audit.chain",
    b"UPDATE audit.head SET sequence = 0",
    b"DELETE FROM audit.head",
    b"INSERT INTO audit.anchors VALUES (1, now(), now(), 1, '')",
    b"UPDATE audit.tallies SET records = 0",
    b"TRUNCATE audit.records",
    b"DROP TABLE audit.records",
)


@pytest.mark.parametrize(
    "part", ["audit", "core", "metadata", "relay", "events", "token", "intake", "webhook", "replication"]
)
def test_no_role_can_edit_the_record(record: Record, database: Database, part: str) -> None:
    record(push(1))
    with connect(database.settings(part)) as connection:
        for statement in EDITS:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


@pytest.mark.parametrize("part", ["core", "metadata", "relay", "events", "token", "intake", "webhook"])
def test_only_the_audit_role_can_add(database: Database, part: str) -> None:
    with connect(database.settings(part)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(b"SELECT audit.append('[]')")


def test_a_batch_that_does_not_follow_the_head_is_refused(record: Record, database: Database) -> None:
    record(push(1))
    batch = (
        '[{"sequence": 3, "recorded_at": "2026-05-17", "event_id": "%s", "event_type": "t",'
        '"occurred_at": "2026-05-17",'
        '"actor": "a", "actor_kind": "user", "operation": "o", "resource_type": "r", "resource": "x", "address": "",'
        '"client": "", "request_id": "", "succeeded": true, "occurrences": 1, "description": "", "row_hash": "00",'
        '"mac": "00"}]'
    )
    with connect(database.settings("audit")) as connection:
        with pytest.raises(psycopg.errors.RaiseException, match="does not follow the head"):
            connection.execute("SELECT audit.append(%s::jsonb)", (batch % uuid4(),))
        with pytest.raises(psycopg.errors.RaiseException, match="does not follow the head"):
            connection.execute("SELECT audit.append('[]'::jsonb)")


def test_writers_take_turns_at_the_head(sessions: sessionmaker[Session], database: Database) -> None:
    with sessions.begin() as session, connect(database.settings("audit")) as other:
        lock_head(session)
        other.execute(b"SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute(b"SELECT audit.lock_head()")


def test_time_never_runs_backwards_along_the_chain(record: Record, database: Database) -> None:
    record(push(1), now=NOW)
    record(push(2), now=NOW - timedelta(days=3))
    with database.superuser() as connection:
        times = connection.execute(b"SELECT recorded_at FROM audit.records ORDER BY sequence").fetchall()
    assert times == [(NOW,), (NOW,)]


def test_partitions_are_made_ahead_and_a_reader_does_not_hold_them_up(
    sessions: sessionmaker[Session], database: Database
) -> None:
    with database.superuser() as reader:
        reader.execute(b"BEGIN; SELECT * FROM audit.records")
        with sessions.begin() as session:
            prepare_partitions(session, NOW)
            prepare_partitions(session, NOW)
    with database.superuser() as connection:
        names = connection.execute(
            b"SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'audit.records'::regclass ORDER BY 1"
        ).fetchall()
    assert names == [("audit.records_202605",), ("audit.records_202606",)]
