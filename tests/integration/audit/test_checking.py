"""The newest links are verified when somebody asks and each hour, and what was found is remembered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.audit import checking
from services.audit.commands import forget_days
from services.audit.queries.checks import ask_for_check, list_checks
from services.audit.queries.verification import verify
from shared.db import engine, session_factory
from shared.postgres import connect
from tests.integration.audit.conftest import KEY, NOW, Record, push
from tests.integration.conftest import Database

Sessions = sessionmaker[Session]


def check(sessions: Sessions, *, later: timedelta = timedelta()) -> Any:  # noqa: ANN401 - a verdict, or nothing
    return checking.verify_when_due(sessions, key_of=lambda _session: KEY, now=NOW + later)


def shown(sessions: Sessions) -> dict[str, Any]:
    with sessions() as session:
        return {each.scope: each for each in list_checks(session)}


def test_the_newest_links_are_verified_at_first_and_each_hour(sessions: Sessions, record: Record) -> None:
    record(*map(push, range(1, 6)))
    assert check(sessions).links == 5
    assert check(sessions, later=timedelta(minutes=59)) is None
    assert check(sessions, later=timedelta(minutes=61)).whole
    found = shown(sessions)
    assert (found["recent"].first_link, found["recent"].links, found["recent"].broken) == (1, 5, None)
    assert found["all"].verified_at is None


def test_whoever_asks_has_it_verified_at_once(database: Database, sessions: Sessions) -> None:
    check(sessions)
    bind = engine(database.settings("core"))
    with session_factory(bind).begin() as session:
        ask_for_check(session, NOW)
    bind.dispose()
    assert shown(sessions)["recent"].asked_at == NOW
    assert check(sessions, later=timedelta(minutes=1)).whole
    assert shown(sessions)["recent"].asked_at is None


@pytest.mark.parametrize(
    ("tampering", "newest", "broken"),
    [
        ("UPDATE audit.records SET actor = 'bob' WHERE sequence = 9", 4, 9),
        ("UPDATE audit.records SET actor = 'bob' WHERE sequence = 9", 12, 9),
        ("UPDATE audit.records SET actor = 'bob' WHERE sequence = 2", 4, None),
        ("DELETE FROM audit.records WHERE sequence = 11", 4, 11),
        ("DELETE FROM audit.chain WHERE sequence = 12", 4, 12),
        ("UPDATE audit.chain SET mac = row_hash WHERE sequence = 10", 4, 10),
    ],
)
def test_a_part_shows_what_was_changed_in_it(
    database: Database, record: Record, tampering: str, newest: int, broken: int | None
) -> None:
    record(*map(push, range(1, 13)))
    with database.superuser() as connection:
        connection.execute(tampering)  # type: ignore[call-overload]  # statements of this module
    with connect(database.settings("audit")) as connection:
        verdict = verify(connection, KEY, newest=newest)
    assert (verdict.broken.sequence if verdict.broken else None) == broken
    assert verdict.first == 13 - newest


def test_what_is_broken_is_remembered(database: Database, sessions: Sessions, record: Record) -> None:
    record(push(1), push(2))
    with database.superuser() as connection:
        connection.execute("UPDATE audit.records SET actor = 'bob' WHERE sequence = 2")
    check(sessions)
    assert shown(sessions)["recent"].broken == "link 2: its record was edited"


def test_days_are_counted_while_recording_and_long_past_ones_forgotten(
    database: Database, sessions: Sessions, record: Record
) -> None:
    record(push(1), push(2), push(3, project="other"))
    record(push(4), now=NOW + timedelta(days=100))
    days = "SELECT project, day::text, pushes, pulls FROM audit.days ORDER BY project, day"
    with database.superuser() as connection:
        assert connection.execute(days).fetchall() == [
            ("", "2026-05-17", 3, 0), ("", "2026-08-25", 1, 0), ("library", "2026-05-17", 2, 0),
            ("library", "2026-08-25", 1, 0), ("other", "2026-05-17", 1, 0),
        ]  # fmt: skip
    with sessions.begin() as session:
        forget_days(session, NOW + timedelta(days=100))
    with database.superuser() as connection:
        assert {row[1] for row in connection.execute(days)} == {"2026-08-25"}


def test_of_two_processes_one_verifies(database: Database, sessions: Sessions) -> None:
    """The other one comes while the first is at it, and again when that has ended."""
    bind = engine(database.settings("audit"))
    others = session_factory(bind)
    found: list[Any] = []

    def meanwhile(_session: Session) -> Any:  # noqa: ANN401 - as the key is asked for
        found.append(check(others))
        return KEY

    assert checking.verify_when_due(sessions, key_of=meanwhile, now=NOW).whole  # type: ignore[union-attr]
    assert found == [None]
    assert check(others) is None
    bind.dispose()
