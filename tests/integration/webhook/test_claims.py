"""Claiming and recording, step by step: who may send what, whose word counts, and what is given up or dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.webhook.commands import delivery, enqueue
from services.webhook.domain.delivery import GIVEN_UP_AFTER, KEPT, Fault, State
from services.webhook.domain.shares import Shares
from tests.integration.broker import Broker
from tests.integration.conftest import Database
from tests.integration.webhook.desk import NOW, POOL, Desk, desk_of
from tests.integration.webhook.hooks import push


@pytest.fixture
def desk(database: Database, session_broker: Broker, tmp_path: Path) -> Iterator[Desk]:
    with desk_of(database, session_broker, tmp_path) as desk:
        yield desk


def test_of_a_target_one_delivery_at_a_time_is_claimed_and_the_oldest_first(desk: Desk) -> None:
    project = desk.hooks.project()
    policies = [desk.hooks.policy(project, f"https://{name}.example.test/") for name in ("a", "b")]
    desk.take(push(project, "first"), push(project, "second"))
    claims = desk.claim()
    assert sorted(claim.policy_id for claim in claims) == policies
    assert all('"tag":"first"' in claim.body for claim in claims)
    assert desk.claim() == []
    assert desk.record(claims[0]) is State.SUCCESS
    [following] = desk.claim()
    assert following.target_id == claims[0].target_id
    assert '"tag":"second"' in following.body


def test_who_waits_longest_comes_first(desk: Desk) -> None:
    project = desk.hooks.project()
    for name in ("a", "b", "c"):
        desk.hooks.policy(project, f"https://{name}.example.test/")
    desk.take(push(project, "first"), push(project, "second"))
    served = []
    for number in range(6):
        [claim] = desk.claim(most=1, now=NOW + timedelta(seconds=number))
        served.append(claim.address)
        desk.record(claim)
    assert served[:3] == served[3:]
    assert len(set(served)) == 3


def waiting(desk: Desk, targets: int, *, quick: bool = False) -> int:
    """A project with so many targets, each with something that is due; returns its number."""
    project = desk.hooks.project()
    for number in range(targets):
        desk.hooks.policy(project, f"https://t{number}.example.test/")
    desk.take(push(project))
    shown = "UPDATE webhook.targets t SET quick = %s FROM webhook.policies p WHERE p.id = policy_id AND project_id = %s"
    desk.hooks.do(shown, quick, project[0])
    return project[0]


def claimed(desk: Desk, shares: Shares, *, most: int = 100) -> Counter[int]:
    """What is begun now, by project."""
    claims = desk.claim(most=most, shares=shares)
    for claim in claims:
        shares.begin(claim.project_id, quick=claim.quick)
    return Counter(claim.project_id for claim in claims)


def test_a_project_never_has_more_in_hand_than_is_left_for_the_others(desk: Desk) -> None:
    """Of 16 workers 8 serve targets that are not known to be quick."""
    shares = Shares(16)
    first, second = waiting(desk, 12), waiting(desk, 12)
    assert claimed(desk, shares) == {first: 3, second: 3}, "in turn, while there is more left than each of them has"
    assert claimed(desk, shares) == {}
    newcomer = waiting(desk, 4)
    assert claimed(desk, shares) == {newcomer: 1}
    quick = waiting(desk, 12, quick=True)
    assert claimed(desk, shares) == {quick: 5}
    assert shares.free == 4


def test_what_is_quick_finds_a_worker_beside_the_silent_ones_of_its_own_project(desk: Desk) -> None:
    shares = Shares(16)
    project = waiting(desk, 12)
    assert claimed(desk, shares) == {project: 4}
    desk.hooks.do("UPDATE webhook.targets SET quick = true WHERE lease IS NULL")
    assert claimed(desk, shares) == {project: 4}
    assert shares.free == 8


def test_projects_take_turns(desk: Desk) -> None:
    many, few = waiting(desk, 12), waiting(desk, 1)
    assert claimed(desk, Shares(64), most=2) == {many: 1, few: 1}


def test_who_is_quick_is_known_to_whoever_sends_next(desk: Desk) -> None:
    waiting(desk, 2)
    for claim, took in zip(desk.claim(), (timedelta(seconds=1), timedelta(seconds=1.1)), strict=True):
        desk.record(claim, Fault.TARGET, took=took)
    assert desk.hooks.rows("SELECT quick FROM webhook.targets ORDER BY id") == [(True,), (False,)]
    desk.hooks.do("UPDATE webhook.deliveries SET due_at = %s", NOW)
    assert sorted(claim.quick for claim in desk.claim()) == [False, True]


def test_a_lease_that_ran_out_is_taken_over_and_the_late_word_does_not_count(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project))
    [late] = desk.claim()
    assert desk.claim(now=NOW + delivery.LEASE - timedelta(seconds=1)) == []
    [other] = desk.claim(now=NOW + delivery.LEASE)
    assert (other.delivery_id, other.uid, other.number) == (late.delivery_id, late.uid, 2)
    assert desk.record(late, Fault.TARGET) is None
    assert desk.hooks.attempts(policy) == []
    assert desk.record(other) is State.SUCCESS
    assert desk.record(late) is None
    assert desk.hooks.attempts(policy) == [(2, True, "told")]


def test_who_sends_what_is_known_as_long_as_it_is_sent(desk: Desk) -> None:
    project = desk.hooks.project()
    for name in ("a", "b", "idle"):
        desk.hooks.policy(project, f"https://{name}.example.test/")
    desk.take(push(project))
    claims = desk.claim(most=2)
    in_hand = "SELECT id, pool_id, delivery_id FROM webhook.targets WHERE lease IS NOT NULL ORDER BY id"
    known = sorted((claim.target_id, POOL, claim.delivery_id) for claim in claims)
    assert desk.hooks.rows(in_hand) == known
    for claim, fault in zip(claims, (None, Fault.TARGET), strict=True):
        desk.record(claim, fault)
    left = "SELECT id FROM webhook.targets WHERE coalesce(pool_id, lease) IS NOT NULL OR delivery_id IS NOT NULL"
    assert desk.hooks.rows(left) == []


def test_a_policy_deleted_while_it_is_sent_for_leaves_nothing(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project))
    [claim] = desk.claim()
    desk.hooks.do("DELETE FROM webhook.policies WHERE id = %s", policy)
    assert desk.record(claim) is None
    assert desk.hooks.rows("SELECT count(*) FROM webhook.attempts") == [(0,)]


def test_an_event_is_taken_once_in_a_batch_and_ever(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    [once, other] = [uuid4(), uuid4()]
    assert desk.take(*[push(project)] * 3, ids=[once, other, once]) == 2
    assert desk.take(push(project), ids=[once]) == 0
    assert desk.hooks.states(policy) == ["pending"] * 2
    assert desk.hooks.rows("SELECT count(DISTINCT uid) FROM webhook.deliveries") == [(2,)]


def test_of_a_disabled_policy_nothing_is_claimed(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project))
    desk.hooks.do("UPDATE webhook.policies SET enabled = false WHERE id = %s", policy)
    assert desk.claim() == []
    desk.hooks.do("UPDATE webhook.policies SET enabled = true WHERE id = %s", policy)
    assert len(desk.claim()) == 1


def test_a_delivery_is_given_up_after_a_day(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project))
    now, states = NOW, []
    while len(states) < 100 and (not states or states[-1] is State.PENDING):
        claims = desk.claim(now=now)
        if claims:
            states.append(desk.record(claims[0], Fault.DELIVERY, now=now))
        now += timedelta(minutes=5)
    assert states[-1] is State.ERROR
    assert 20 < len(states) < 40
    assert now - NOW > timedelta(hours=22)
    assert desk.hooks.rows("SELECT state, message FROM webhook.deliveries WHERE policy_id = %s", policy) == [
        ("error", "told")
    ]


def test_what_could_not_be_sent_all_day_expires(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project))
    desk.hooks.do("UPDATE webhook.policies SET enabled = false WHERE id = %s", policy)
    with desk.sessions.begin() as session:
        assert delivery.expire(session, now=NOW + GIVEN_UP_AFTER - timedelta(seconds=1)) == 0
        assert delivery.expire(session, now=NOW + GIVEN_UP_AFTER + timedelta(seconds=1)) == 1
    stored = "SELECT state, message, finished_at IS NOT NULL FROM webhook.deliveries WHERE policy_id = %s"
    assert desk.hooks.rows(stored, policy) == [("error", "not sent within a day", True)]


def test_an_open_breaker_rests_and_then_one_delivery_tries(desk: Desk) -> None:
    project = desk.hooks.project()
    desk.hooks.policy(project, "https://a.example.test/")
    desk.take(*[push(project, f"v{number}") for number in range(8)])
    for _ in range(5):
        [claim] = desk.claim()
        desk.record(claim, Fault.TARGET)
    assert desk.claim() == []
    later = NOW + timedelta(seconds=31)
    [probe] = desk.claim(now=later)
    assert desk.claim(now=later) == []
    desk.record(probe, Fault.TARGET, now=later)
    assert desk.claim(now=later + timedelta(seconds=20)) == [], "the second rest is longer"
    [probe] = desk.claim(now=later + timedelta(minutes=2))
    desk.record(probe, now=later + timedelta(minutes=2))
    due = "SELECT count(*) FROM webhook.deliveries WHERE state = 'pending' AND due_at <= %s"
    assert desk.hooks.rows(due, later + timedelta(minutes=2)) == [(7,)]


def test_a_target_that_is_silent_twice_rests(desk: Desk) -> None:
    project = desk.hooks.project()
    desk.hooks.policy(project, "https://a.example.test/")
    desk.take(*[push(project, f"v{number}") for number in range(4)])
    for _ in range(2):
        [claim] = desk.claim()
        desk.record(claim, Fault.SILENT)
    assert desk.claim() == []
    assert desk.claim(now=NOW + timedelta(seconds=20)) == []
    assert len(desk.claim(now=NOW + timedelta(seconds=31))) == 1


def test_what_is_too_much_for_a_target_is_recorded_and_not_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue, "MOST_WAITING", 3)
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(*[push(project, f"v{number}") for number in range(5)])
    desk.take(push(project, "more"))
    assert desk.hooks.states(policy) == ["pending"] * 3 + ["error"] * 3
    with desk.hooks.sessions.begin() as session:
        assert delivery.redeliver_failed(session, project[0], policy, now=NOW) == 3
    assert desk.hooks.states(policy) == ["pending"] * 6


def test_old_records_and_old_ids_are_dropped_and_nothing_else(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    desk.take(push(project, "old"), push(project, "waiting"))
    [claim] = desk.claim()
    desk.record(claim)
    for moment, dropped in ((NOW + KEPT - timedelta(hours=1), 0), (NOW + KEPT + timedelta(hours=1), 1)):
        with desk.sessions.begin() as session:
            assert delivery.prune(session, now=moment) == dropped
    assert desk.hooks.states(policy) == ["pending"]
    assert desk.hooks.attempts(policy) == []
    desk.hooks.do("UPDATE webhook.seen SET seen_at = %s", NOW - KEPT)
    with desk.sessions.begin() as session:
        assert delivery.prune(session, now=NOW + timedelta(hours=1)) == 2


def test_an_event_without_the_projects_number_finds_it_by_name(desk: Desk) -> None:
    project = desk.hooks.project()
    policy = desk.hooks.policy(project, "https://a.example.test/")
    assert desk.take(push(project, project_id=None)) == 1
    assert desk.take(push((0, "no-such-project"), project_id=None)) == 0
    assert desk.hooks.states(policy) == ["pending"]
