"""Silent targets hold up neither other projects nor others of their own, and a restart changes nothing of that."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.receiver import Received, Receiver, Reply, receiving
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.webhook.hooks import Hooks, hooks_of, push

PROMISED_SECONDS = 3
SILENT_POLICIES = 4
TARGETS = 10


@pytest.fixture
def own(database: Database, rabbit: Broker, tmp_path: Path) -> Iterator[Hooks]:
    with hooks_of(database, rabbit, tmp_path) as hooks:
        yield hooks


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Silent ones accept and do not answer for longer than anybody waits; slow ones take more than a second."""

    def reply(received: Received) -> Reply:
        return Reply(seconds={"/silent": 25.0, "/slow": 1.3}.get(received.path[:7].rstrip("0123456789-"), 0))

    with receiving(reply) as receiver:
        yield receiver


def silent(receiver: Receiver) -> int:
    """How often a silent target was asked."""
    return sum(each.path.startswith("/silent") for each in receiver.received)


def served(hooks: Hooks, *pairs: tuple[tuple[int, str], str]) -> None:
    """Each of some new targets, in these projects, is served in the time that is promised."""
    policies = [hooks.policy(project, address) for project, address in pairs]
    begun = time.monotonic()
    hooks.publish(*[push(project) for project in dict.fromkeys(project for project, _ in pairs)])
    for policy in policies:
        hooks.settled(policy, "success")
    assert time.monotonic() - begun < PROMISED_SECONDS


def test_forty_silent_targets_hold_nobody_up_before_and_after_a_restart(own: Hooks, receiver: Receiver) -> None:
    loud, other = own.project(), own.project()
    for policy in range(SILENT_POLICIES):
        own.policy(loud, *[f"{receiver.url}/silent{policy}-{number}" for number in range(TARGETS)])
    count = SILENT_POLICIES * TARGETS
    with own.delivering() as process:
        process.has_logged("consuming")
        own.publish(*[push(loud, f"v{number}") for number in range(3)])
        eventually(lambda: silent(receiver), count)
        served(own, (other, f"{receiver.url}/new"), (other, f"{receiver.url}/slow"))
        served(own, (loud, f"{receiver.url}/new-neighbour"))
        process.kill()
    # as if it had been away for a minute: all that it had in hand is begun again, and nobody is known
    own.do("UPDATE webhook.targets SET leased_until = now(), quick = false, open_until = NULL")
    own.do("UPDATE webhook.deliveries SET due_at = now() WHERE state = 'pending'")
    with own.delivering() as process:
        process.has_logged("consuming")
        eventually(lambda: silent(receiver), 2 * count)
        served(own, (other, f"{receiver.url}/newer"), (other, f"{receiver.url}/slow2"))
        served(own, (loud, f"{receiver.url}/newer-neighbour"))


@pytest.mark.long
def test_silence_opens_the_breaker_at_the_second_time(own: Hooks, receiver: Receiver) -> None:
    project = own.project()
    policy = own.policy(project, f"{receiver.url}/silent")
    with own.delivering() as process:
        process.has_logged("consuming")
        own.publish(*[push(project, f"v{number}") for number in range(5)])
        eventually(lambda: len(own.attempts(policy)), 2, seconds=30)
        time.sleep(2)
        assert silent(receiver) == 2
        health = "SELECT failures, open_until > now(), quick FROM webhook.targets WHERE policy_id = %s"
        assert own.rows(health, policy) == [(5, True, False)]


def test_however_many_projects_are_silent_another_is_served(own: Hooks, receiver: Receiver) -> None:
    for project in [own.project() for _ in range(3)]:
        for policy in range(8):
            own.policy(project, *[f"{receiver.url}/silent{policy}-{number}" for number in range(TARGETS)])
        own.publish(push(project))
    with own.delivering() as process:
        process.has_logged("consuming")
        eventually(lambda: silent(receiver) > 64, True, seconds=30)
        other = own.project()
        served(own, (other, f"{receiver.url}/new"), (other, f"{receiver.url}/slow"))
        assert silent(receiver) < 3 * 8 * TARGETS
