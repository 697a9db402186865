"""Purges that the API or a schedule asks for: of some kinds of records, or of all; the chain proves what is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.api.commands.audit_purge import request_due, request_purge
from services.api.commands.schedule import set_schedule
from services.api.domain.audit_purge import parse_wish
from services.api.domain.retention import Trigger
from services.api.domain.schedule import ScheduleKind
from services.audit import purging
from services.audit.domain.record import event_types
from services.audit.errors import ChainKeyMissing
from services.audit.purging import carry_out_purge, kinds_meant
from services.audit.queries.verification import Verdict, verify
from shared.cron import Cron
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind
from shared.events.definitions.artifact import ArtifactPulled
from shared.postgres import connect
from tests.integration.audit.conftest import KEY, NOW, Record, push
from tests.integration.conftest import Database

LATER = NOW + timedelta(days=90)


def pull(number: int) -> ArtifactPulled:
    return ArtifactPulled(
        project="library", repository="library/app", digest=f"sha256:{number:064x}", tag=None, project_id=1
    )


@pytest.fixture
def _two_kinds(record: Record) -> None:
    for month in range(2):
        for day in range(3):
            now = NOW + timedelta(days=31 * month + day)
            record(push(10 * month + day), pull(10 * month + day), now=now)


class Purging:
    """Whoever asks, and the audit service that answers."""

    def __init__(self, database: Database, sessions: sessionmaker[Session]) -> None:
        self.database, self.sessions = database, sessions
        self.ticks = count()

    def clock(self) -> datetime:
        """Later each time."""
        return LATER + timedelta(seconds=next(self.ticks))

    def ask(self, hours: int, kinds: str, *, dry_run: bool = False) -> None:
        wish = parse_wish({"audit_retention_hour": hours, "include_event_types": kinds, "dry_run": dry_run})
        actor = Actor(kind=ActorKind.USER, name="alice")
        with self.acting_as("core") as session:
            request_purge(session, wish, trigger=Trigger.MANUAL, actor=actor, request_id="r-7", now=LATER)

    def run(self, **more: Any) -> bool:  # noqa: ANN401 - the function's own keywords
        return carry_out_purge(
            self.sessions,
            **({"key_of": lambda _: KEY, "pool_id": uuid4(), "instance_id": uuid4(), "clock": self.clock} | more),
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            return connection.execute(query.encode()).fetchall()

    def outcome(self) -> tuple[str, str]:
        """The latest purge's status, and the last line of its log."""
        ((status, log),) = self.rows("SELECT status, log FROM core.audit_purges ORDER BY id DESC LIMIT 1")
        return status, log.splitlines()[-1] if log else ""

    def left(self) -> list[tuple[int, str]]:
        return self.rows("SELECT sequence, operation FROM audit.records ORDER BY sequence")

    def verify(self) -> Verdict:
        with connect(self.database.settings("audit")) as connection:
            return verify(connection, KEY)

    @contextmanager
    def acting_as(self, part: str) -> Iterator[Session]:
        """A transaction of another part."""
        bind = engine(self.database.settings(part))
        with session_factory(bind).begin() as session:
            yield session
        bind.dispose()


@pytest.fixture
def purge(database: Database, sessions: sessionmaker[Session]) -> Purging:
    return Purging(database, sessions)


def hours_until(moment: datetime) -> int:
    return int((LATER - moment) / timedelta(hours=1))


MIDDLE = hours_until(NOW + timedelta(days=10))


@pytest.mark.usefixtures("_two_kinds")
def test_only_the_kinds_asked_for_go_and_the_chain_proves_the_rest(purge: Purging) -> None:
    purge.ask(MIDDLE, "pull_artifact")
    assert purge.run() is True
    assert purge.outcome() == ("Success", "Purged 3 rows of audit logs")
    assert [operation for _, operation in purge.left()] == ["create"] * 4 + ["pull", "create", "pull", "create", "pull"]
    verdict = purge.verify()
    assert (verdict.links, verdict.purged, verdict.whole) == (12, 3, True)
    assert purge.rows("SELECT records FROM audit.tallies WHERE project = '' AND dimension = ''") == [(9,)]
    (event,) = purge.rows("SELECT body FROM events.outbox")
    assert (event[0]["data"]["kinds"], event[0]["actor"]) == (["pull_artifact"], "alice")
    assert purge.run() is False


@pytest.mark.usefixtures("_two_kinds")
def test_purges_of_some_kinds_and_of_all_follow_each_other(purge: Purging, record: Record) -> None:
    everything = ",".join(event_types())
    for hours, kinds, records in (
        (MIDDLE, "pull", 3),
        (MIDDLE, "create_artifact", 3),
        (MIDDLE, "pull_artifact", 0),
        (hours_until(NOW + timedelta(days=32, hours=1)), everything, 4),
        (hours_until(NOW + timedelta(days=60)), "pull_artifact", 1),
        (hours_until(NOW + timedelta(days=60)), everything, 1),
    ):
        purge.ask(hours, kinds)
        assert purge.run() is True
        assert purge.outcome() == ("Success", f"Purged {records} rows of audit logs")
        assert purge.verify().whole, (hours, kinds)
    record(push(99), now=LATER)
    assert (purge.left()[-1][0], purge.verify().whole) == (13, True)


@pytest.mark.usefixtures("_two_kinds")
@pytest.mark.parametrize(("kinds", "records"), [("pull_artifact", 3), (",".join(event_types()), 6), ("", 0)])
def test_a_dry_run_counts_and_drops_nothing(purge: Purging, kinds: str, records: int) -> None:
    purge.ask(MIDDLE, kinds, dry_run=True)
    purge.run()
    assert purge.outcome() == ("Success", f"[DRYRUN]Purged {records} rows of audit logs")
    assert len(purge.left()) == 12
    assert purge.rows("SELECT sequence FROM audit.anchors") == []
    assert purge.rows("SELECT id FROM events.outbox") == []


@pytest.mark.usefixtures("_two_kinds")
@pytest.mark.parametrize(
    ("tampering", "reason"),
    [
        ("DELETE FROM audit.records WHERE sequence = 1", "4 records are missing, and purges have dropped 3"),
        ("UPDATE audit.anchors SET records = 4; DELETE FROM audit.records WHERE sequence = 1", "not made by a purge"),
        ("UPDATE audit.anchors SET kinds = '{}'; DELETE FROM audit.records WHERE sequence < 6", "not made by a purge"),
        ("DELETE FROM audit.records WHERE sequence = 7", "its record was deleted"),
        ("UPDATE audit.records SET actor = 'mallory' WHERE sequence = 1", "its record was edited"),
        ("INSERT INTO audit.records SELECT (r).* FROM kept", "its record was purged and is there again"),
    ],
)
def test_tampering_around_a_purge_of_some_kinds_is_found(purge: Purging, tampering: str, reason: str) -> None:
    with purge.database.superuser() as connection:
        connection.execute(b"CREATE TABLE kept AS SELECT r FROM audit.records r WHERE sequence = 2")
    purge.ask(MIDDLE, "pull_artifact")
    purge.run()
    with purge.database.superuser() as connection:
        connection.execute(tampering.encode())
    broken = purge.verify().broken
    assert broken is not None
    assert reason in broken.reason


@pytest.mark.usefixtures("_two_kinds")
def test_a_purge_that_was_killed_is_done_again_once(purge: Purging, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    purge.ask(MIDDLE, "pull_artifact")
    done = purging._purge

    def purge_and_die(*args: Any, **more: Any) -> None:  # noqa: ANN401 - as `_purge`
        done(*args, **more)
        kill()

    with monkeypatch.context() as patch:
        patch.setattr(purging, "_purge", purge_and_die)
        with pytest.raises(Killed):
            purge.run()
    assert (purge.outcome()[0], len(purge.left())) == ("Running", 12)
    assert purge.run() is True
    assert (purge.outcome()[0], len(purge.left())) == ("Success", 9)
    assert purge.rows("SELECT count(*) FROM events.outbox") == [(1,)]


@pytest.mark.usefixtures("_two_kinds")
def test_a_missing_key_is_waited_for(purge: Purging) -> None:
    def missing(_: Session) -> None:
        raise ChainKeyMissing

    purge.ask(MIDDLE, "pull_artifact")
    with pytest.raises(ChainKeyMissing):
        purge.run(key_of=missing)
    assert len(purge.left()) == 12
    assert purge.run() is True
    assert purge.outcome()[0] == "Success"


def test_nothing_so_old_is_a_success(purge: Purging) -> None:
    purge.ask(1, "pull_artifact")
    purge.run()
    assert purge.outcome() == ("Success", "Purged 0 rows of audit logs")


def test_the_schedule_asks_once_while_its_purge_waits(purge: Purging) -> None:
    wish = parse_wish({"audit_retention_hour": MIDDLE, "include_operations": "pull"})
    with purge.acting_as("core") as session:
        set_schedule(
            session, ScheduleKind.AUDIT_PURGE, 0, Cron.parse("0 0 * * * *"), now=NOW, parameters=wish.parameters
        )
    asked = []
    for hours in (0, 5, 5, 9):
        with purge.acting_as("metadata") as session:
            asked.append(request_due(session, now=NOW + timedelta(hours=hours)))
    assert asked == [False, True, False, True]
    assert purge.rows("SELECT trigger, actor, kinds FROM core.audit_purges") == [
        ("SCHEDULE", "system:metadata", ["pull"])
    ]


@pytest.mark.usefixtures("_two_kinds")
def test_who_is_overtaken_between_beginning_and_holding_leaves_the_purge_to_the_other(
    purge: Purging, monkeypatch: pytest.MonkeyPatch
) -> None:
    purge.ask(24, "pull")
    first, other = uuid4(), uuid4()
    begin, begun = purge.sessions.begin, count()

    def overtaken() -> Any:  # noqa: ANN401 - what the session factory gives
        if next(begun) == 1:
            purge.rows(f"UPDATE core.audit_purges SET pool_id = '{other}' RETURNING id")  # noqa: S608 - ours
        return begin()

    with monkeypatch.context() as patch:
        patch.setattr(purge.sessions, "begin", overtaken)
        assert purge.run(pool_id=first) is True
    assert purge.rows("SELECT status, pool_id, log FROM core.audit_purges") == [("Running", other, "")]
    assert purge.run(pool_id=other) is True
    assert purge.outcome() == ("Success", "Purged 6 rows of audit logs")
    assert purge.rows("SELECT pool_id FROM core.audit_purges") == [(other,)]


def test_operations_stand_for_all_their_kinds_and_unknown_words_for_nothing() -> None:
    assert kinds_meant(["pull", "logout_user", "create_artifact"]) == {"pull_artifact", "create_artifact"}
    assert kinds_meant(["create"]) >= {"create_artifact", "create_project", "create_user"}
    assert kinds_meant([]) == frozenset()

