"""Policies are changed while events are taken in, sent, sent again and tried out: nobody stops anybody."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.webhook.commands import delivery, enqueue
from services.webhook.domain.delivery import Fault
from tests.integration.broker import Broker
from tests.integration.conftest import Database
from tests.integration.webhook.desk import Desk, desk_of
from tests.integration.webhook.hooks import CONTEXT, http, push

SECONDS = 6
NAMES = [f"https://t{number}.example.test/" for number in range(8)]


@pytest.fixture
def desk(database: Database, session_broker: Broker, tmp_path: Path) -> Iterator[Desk]:
    with desk_of(database, session_broker, tmp_path) as desk:
        yield desk


class Everybody:
    """Who does what, on two policies of one project."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.hooks, self.project = desk, desk.hooks, desk.hooks.project()
        self.first = self.hooks.policy(self.project, *NAMES[:6])
        self.second = self.hooks.policy(self.project, *NAMES[2:7])
        self.chance = random.Random(7)
        self.done: set[str] = set()
        self.failed: list[str] = []

    def change(self, policy: int) -> None:
        chosen = self.chance.sample(NAMES, self.chance.randint(5, 8))
        forms = [self.chance.choice(["Default", "CloudEvents"]) for _ in chosen]
        targets = [http(address, form=form) for address, form in zip(chosen, forms, strict=True)]
        self.hooks.change(self.project, policy, *targets)

    def take(self) -> None:
        self.desk.take(*[push(self.project, f"v{number}") for number in range(20)], now=datetime.now(UTC))

    def send(self) -> None:
        for claim in self.desk.claim(now=datetime.now(UTC)):
            self.desk.record(claim, self.chance.choice([None, Fault.DELIVERY]), now=datetime.now(UTC))

    def redeliver(self) -> None:
        with self.hooks.sessions.begin() as session:
            delivery.redeliver_failed(session, self.project[0], self.first, now=datetime.now(UTC))

    def try_out(self) -> None:
        with self.hooks.sessions.begin() as session:
            enqueue.try_out(
                session, self.project[0], self.second, project=self.project[1], host="h", operator=CONTEXT.actor,
                now=datetime.now(UTC),
            )  # fmt: skip

    def repeat(self, name: str, work: Callable[[], None], pause: float, until: float) -> None:
        while time.monotonic() < until:
            try:
                work()
                self.done.add(name)
            except Exception as error:  # noqa: BLE001 - each is told at the end
                self.failed.append(f"{name}: {error}")
            time.sleep(pause)


def test_nobody_is_refused_for_what_others_do_at_the_same_time(desk: Desk) -> None:
    all_ = Everybody(desk)
    until = time.monotonic() + SECONDS
    jobs: list[tuple[str, Callable[[], None], float]] = [
        ("change", lambda: all_.change(all_.first), 0.05), ("change the other", lambda: all_.change(all_.second), 0.05),
        ("take", all_.take, 0.1), ("send", all_.send, 0), ("send too", all_.send, 0),
        ("redeliver", all_.redeliver, 0.2), ("try out", all_.try_out, 0.1),
    ]  # fmt: skip
    threads = [threading.Thread(target=all_.repeat, args=(*job, until)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all_.failed == []
    assert all_.done == {name for name, _, _ in jobs}
    for policy in (all_.first, all_.second):
        stored = "SELECT position FROM webhook.targets WHERE policy_id = %s ORDER BY position"
        places = [row[0] for row in all_.hooks.rows(stored, policy)]
        assert places == list(range(len(places)))
