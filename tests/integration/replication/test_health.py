"""How other registries are: one process asks each, seldom while it is well, and soon again while it is away."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.replication.commands import health
from services.replication.domain.registry import Health
from services.replication.queries.due import what_is_due
from tests.integration.replication.desk import NOW, Desk

SECOND = timedelta(seconds=1)


def take(desk: Desk, now: datetime) -> int | None:
    with desk.sessions.begin() as session:
        taken = health.take_unchecked(session, now=now)
    return taken.id if taken else None


def check(desk: Desk, reason: str = "", *, now: datetime = NOW, chance: float = 0.5) -> Health | None:
    with desk.sessions.begin() as session:
        return health.record_check(session, desk.registry_id, reason, now=now, chance=chance)


def pause(desk: Desk, now: datetime) -> float:
    (due,) = desk.one("SELECT due_at FROM replication.registries WHERE id = %s", desk.registry_id)
    return float((due - now).total_seconds())


def due_at(desk: Desk, at: datetime) -> None:
    desk.rows("UPDATE replication.registries SET due_at = %s", at)


def test_each_is_asked_by_one_process_at_a_time(desk: Desk) -> None:
    due_at(desk, NOW)
    with desk.sessions.begin() as session:
        taken = health.take_unchecked(session, now=NOW)
        assert taken is not None
        assert take(desk, NOW) is None
    assert take(desk, NOW + 44 * SECOND) is None
    assert take(desk, NOW + 45 * SECOND) == taken.id == desk.registry_id


def test_one_that_is_due_is_asked_the_longest_waiting_first(desk: Desk) -> None:
    other = desk.registry("other")
    due_at(desk, NOW + SECOND)
    desk.rows("UPDATE replication.registries SET due_at = %s WHERE id = %s", NOW - SECOND, other)
    assert [take(desk, NOW), take(desk, NOW)] == [other, None]
    with desk.sessions.begin() as session:
        assert not what_is_due(session, lost=SECOND, now=NOW).checks
        assert what_is_due(session, lost=SECOND, now=NOW + SECOND).checks


def test_it_is_asked_sooner_while_it_is_away_and_never_less_than_once_a_minute_and_a_quarter(desk: Desk) -> None:
    assert check(desk) is Health.HEALTHY
    assert pause(desk, NOW) == 60
    assert check(desk, "no route") is Health.UNHEALTHY
    assert pause(desk, NOW) == 10
    seen = []
    for _ in range(12):
        assert check(desk, "no route") is None
        seen.append(pause(desk, NOW))
    assert seen == [20, 40, *[60] * 10]
    check(desk, "no route", chance=0.999)
    assert 74 < pause(desk, NOW) <= 75
    assert desk.one("SELECT status, reason, failures FROM replication.registries")[:2] == ("unhealthy", "no route")
    assert check(desk) is Health.HEALTHY
    assert desk.one("SELECT status, reason, failures FROM replication.registries") == ("healthy", "", 0)


def test_what_is_behind_is_compared_as_soon_as_it_is_back(desk: Desk) -> None:
    mine, of_another = desk.policy("mine"), desk.policy("another", registry_id=desk.registry("other"))
    desk.rows("UPDATE replication.policies SET heal_at = %s", NOW + 3600 * SECOND)
    check(desk, "no route")
    check(desk)
    due = dict(desk.rows("SELECT id, heal_at FROM replication.policies"))
    assert due == {mine: NOW, of_another: NOW + 3600 * SECOND}


def test_a_copy_that_cannot_reach_it_has_it_asked_at_once_and_a_thousand_do_not_ask_oftener(desk: Desk) -> None:
    def tell(now: datetime) -> None:
        with desk.sessions.begin() as session:
            health.ask_soon(session, desk.registry_id, now=now)

    check(desk)
    tell(NOW + 4 * SECOND)
    assert pause(desk, NOW) == 60
    tell(NOW + 6 * SECOND)
    assert pause(desk, NOW) == 6
    check(desk, "no route", now=NOW + 6 * SECOND)
    tell(NOW + 12 * SECOND)
    assert pause(desk, NOW + 6 * SECOND) == 10


def test_one_that_was_removed_meanwhile_is_no_fault(desk: Desk) -> None:
    desk.rows("DELETE FROM replication.registries")
    assert check(desk, "no route") is None
