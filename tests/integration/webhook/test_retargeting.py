"""A policy's targets change while deliveries wait for them: each gets its own, by its own settings, or nobody does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from services.webhook.domain.policy import WantedTarget
from tests.clients.receiver import Receiver, Reply, receiving
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.hooks import Hooks, hooks_of, http, push, slack
from tests.servers import Postgres

CLOUD = "application/cloudevents+json"


@pytest.fixture(scope="module")
def hooks(
    postgres_server: Postgres, migrated_template: str, session_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hooks]:
    session_broker.purge()
    database = Database(postgres_server, postgres_server.new_database(migrated_template))
    with hooks_of(database, session_broker, tmp_path_factory.mktemp("hooks")) as hooks, hooks.delivering() as process:
        process.has_logged("consuming")
        yield hooks
    postgres_server.drop_database(database.name)


@dataclass
class Stage:
    """A project, and receivers of which some are away; whoever is away answers 503."""

    hooks: Hooks
    project: tuple[int, str]
    away: set[str]
    receivers: dict[str, Receiver] = field(default_factory=dict)

    def at(self, name: str) -> str:
        return f"{self.receivers[name].url}/{name}"

    def taken(self, name: str) -> list[tuple[str, str, str]]:
        """What a receiver has taken: the delivery, its form, and the credential that it came with."""
        return [
            (each.headers["X-Breakwater-Delivery"], each.headers["Content-Type"], each.headers.get("Authorization", ""))
            for each in self.receivers[name].received
        ]

    def targets(self, policy: int) -> list[tuple[int, str]]:
        """Number and address of each, in their order."""
        stored = "SELECT id, address FROM webhook.targets WHERE policy_id = %s ORDER BY position"
        return [(row[0], row[1]) for row in self.hooks.rows(stored, policy)]

    def log(self, policy: int) -> list[tuple[int, int, str]]:
        """Number, target and state of each delivery."""
        stored = "SELECT id, target_id, state FROM webhook.deliveries WHERE policy_id = %s ORDER BY id"
        return [(row[0], row[1], row[2]) for row in self.hooks.rows(stored, policy)]

    def pushed(self, *targets: WantedTarget | str) -> int:
        """A policy, and a push that each of its targets has been asked to take once."""
        policy = self.hooks.policy(self.project, *targets)
        self.hooks.publish(push(self.project))
        eventually(lambda: len(self.hooks.attempts(policy)), len(targets))
        return policy

    def back(self, policy: int, *states: str) -> None:
        """Everybody is back, and what waits is due."""
        self.away.clear()
        self.hooks.become_due(policy)
        self.hooks.do("SELECT pg_notify('breakwater_deliveries', '')")
        self.hooks.settled(policy, *states)


@pytest.fixture
def stage(hooks: Hooks) -> Iterator[Callable[..., Stage]]:
    with ExitStack() as stack:

        def make(*names: str, away: str = "") -> Stage:
            stage = Stage(hooks, hooks.project(), set(away.split()))
            for name in names:
                stage.receivers[name] = stack.enter_context(
                    receiving(lambda _, name=name: Reply(status=503 if name in stage.away else 200))
                )
            return stage

        yield make


def test_the_first_is_taken_out_and_what_waits_for_it_reaches_nobody(stage: Callable[..., Stage]) -> None:
    on = stage("a", "b", away="a")
    b = http(on.at("b"), auth="Bearer b", form="CloudEvents")
    policy = on.pushed(on.at("a"), b)
    [_, kept] = on.targets(policy)
    [served] = [row for row in on.log(policy) if row[1] == kept[0]]
    before = on.taken("b")
    on.hooks.change(on.project, policy, http(on.at("b"), auth=None, form="CloudEvents"))
    assert on.targets(policy) == [kept]
    assert on.log(policy) == [served] == [(served[0], kept[0], "success")]
    on.hooks.publish(push(on.project, "later"))
    on.back(policy, "success", "success")
    assert len(on.taken("a")) == 1, "it was asked while it was a target, and not again"
    assert on.taken("b")[:1] == before
    assert [row[1:] for row in on.taken("b")] == [(CLOUD, "Bearer b")] * 2
    assert len({row[0] for row in on.taken("b")}) == 2


def test_one_in_the_middle_is_taken_out_and_both_neighbours_keep_what_waits(stage: Callable[..., Stage]) -> None:
    on = stage("a", "b", "c", away="a b c")
    wanted = [http(on.at(name), auth=f"Bearer {name}", secret=name) for name in "abc"]
    policy = on.pushed(*wanted)
    a, _, c = on.targets(policy)
    ids = {name: on.taken(name)[0] for name in "abc"}
    waiting = [row for row in on.log(policy) if row[1] in {a[0], c[0]}]
    on.hooks.change(on.project, policy, wanted[0], wanted[2])
    assert on.targets(policy) == [a, c]
    assert on.log(policy) == waiting
    on.back(policy, "success", "success")
    assert [on.taken(name) for name in "abc"] == [[ids["a"]] * 2, [ids["b"]], [ids["c"]] * 2]


def test_targets_change_places_and_what_waits_goes_along(stage: Callable[..., Stage]) -> None:
    on = stage("a", "b", "c", away="a")
    a, b, c = http(on.at("a"), auth="Bearer a"), http(on.at("b"), form="CloudEvents"), slack(on.at("c"))
    policy = on.pushed(a, b, c)
    rows, log, first = on.targets(policy), on.log(policy), on.taken("a")
    on.hooks.do("UPDATE webhook.targets SET failures = 4 WHERE id = %s", rows[0][0])
    on.hooks.change(on.project, policy, c, http(on.at("b"), form="CloudEvents"), http(on.at("a"), auth=None))
    assert on.targets(policy) == [rows[2], rows[1], rows[0]]
    assert on.log(policy) == log
    assert on.hooks.rows("SELECT failures FROM webhook.targets WHERE id = %s", rows[0][0]) == [(4,)]
    on.back(policy, "success", "success", "success")
    assert on.taken("a") == first * 2
    assert first[0][1:] == ("application/json", "Bearer a")
    assert [len(on.taken(name)) for name in "bc"] == [1, 1]


def test_another_address_in_the_same_place_is_another_target(stage: Callable[..., Stage]) -> None:
    on = stage("a", "b", away="a")
    policy = on.pushed(on.at("a"))
    [old] = on.targets(policy)
    on.hooks.do("UPDATE webhook.targets SET failures = 9, open_until = now() + interval '1 hour' WHERE id = %s", old[0])
    on.hooks.change(on.project, policy, on.at("b"))
    [new] = on.targets(policy)
    assert new[0] != old[0]
    assert on.log(policy) == []
    assert on.hooks.rows("SELECT failures, open_until FROM webhook.targets WHERE id = %s", new[0]) == [(0, None)]
    on.hooks.publish(push(on.project, "later"))
    on.back(policy, "success")
    assert len(on.taken("a")) == 1
    [got] = on.receivers["b"].received
    assert b'"tag":"later"' in got.body


def test_another_type_at_the_same_address_is_another_target(stage: Callable[..., Stage]) -> None:
    on = stage("a", away="a")
    policy = on.pushed(on.at("a"))
    [old] = on.targets(policy)
    on.hooks.change(on.project, policy, slack(on.at("a")))
    assert on.log(policy) == []
    assert [row[0] for row in on.targets(policy)] != [old[0]]
    on.hooks.change(on.project, policy, slack(on.at("a")), http(on.at("a")))
    on.hooks.publish(push(on.project))
    on.back(policy, "success", "success")
    assert sorted("blocks" in json.loads(each.body) for each in on.receivers["a"].received) == [False, False, True]


@pytest.mark.parametrize(("before", "after"), [("Default", "CloudEvents"), ("CloudEvents", "Default")])
def test_what_waits_is_sent_by_the_settings_of_then(stage: Callable[..., Stage], before: str, after: str) -> None:
    on = stage("a", "b", away="a")
    policy = on.pushed(http(on.at("a"), auth="Bearer old", form=before), http(on.at("b"), form=after))
    rows, log = on.targets(policy), on.log(policy)
    on.hooks.change(on.project, policy, http(on.at("a"), auth="Bearer new", form=after), http(on.at("b"), form=after))
    assert (on.targets(policy), on.log(policy)) == (rows, log)
    on.back(policy, "success", "success")
    first, second = on.receivers["a"].received
    assert second.headers["Authorization"] == "Bearer new"
    assert first.headers["X-Breakwater-Delivery"] == second.headers["X-Breakwater-Delivery"]
    [told_at_once] = on.receivers["b"].received
    assert (second.body, second.headers["Content-Type"]) == (told_at_once.body, told_at_once.headers["Content-Type"])
    sent = """
        SELECT coalesce(a.body, d.body) FROM webhook.attempts a JOIN webhook.deliveries d ON d.id = a.delivery_id
        WHERE d.target_id = %s ORDER BY a.id
    """
    assert [row[0] for row in on.hooks.rows(sent, rows[0][0])] == [first.body.decode(), second.body.decode()]


def test_of_two_at_one_address_each_keeps_its_own(stage: Callable[..., Stage]) -> None:
    on = stage("a", away="a")
    plain, cloud = http(on.at("a")), http(on.at("a"), form="CloudEvents")
    policy = on.pushed(plain, cloud)
    rows = on.targets(policy)
    on.hooks.change(on.project, policy, cloud, plain)
    assert on.targets(policy) == [rows[1], rows[0]]
    on.hooks.change(on.project, policy, cloud)
    assert on.targets(policy) == [rows[1]]
    on.back(policy, "success")
    assert [row[1] for row in on.taken("a")].count("application/json") == 1
    cloud_ids = [row[0] for row in on.taken("a") if row[1] == CLOUD]
    assert len(cloud_ids) == 2
    assert len(set(cloud_ids)) == 1


def test_a_change_while_it_is_sent_lets_the_attempt_end_and_nothing_follows(stage: Callable[..., Stage]) -> None:
    on = stage("a", "b")
    on.receivers["a"].reply = lambda _received: Reply(status=503, seconds=1.5)
    policy = on.hooks.policy(on.project, on.at("a"), on.at("b"))
    on.hooks.publish(push(on.project))
    eventually(lambda: len(on.receivers["a"].received), 1)
    eventually(lambda: len(on.hooks.attempts(policy)), 1)
    on.hooks.change(on.project, policy, on.at("b"))
    on.hooks.publish(push(on.project, "later"))
    on.hooks.settled(policy, "success", "success")
    assert (len(on.taken("a")), len(on.taken("b"))) == (1, 2)
