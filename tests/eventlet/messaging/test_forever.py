"""Endless work: begun again when it fails, ended when the service stops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import eventlet
from nameko.containers import ServiceContainer

from shared.messaging.forever import Stopping, every, forever


class Worker:
    name = "worker"
    seen: ClassVar[Counter[str]] = Counter()

    @forever
    def failing(self, stopping: Stopping) -> None:
        self.seen["failing"] += 1
        if self.seen["failing"] < 4:
            raise OSError("the broker is away")
        stopping.wait(60)

    @forever
    def waiting(self, stopping: Stopping) -> None:
        self.seen["waiting"] += 1
        while not stopping:
            stopping.wait(60)

    @every(0.05)
    def ticking(self) -> None:
        self.seen["ticking"] += 1
        raise ValueError("this turn failed")


@contextmanager
def running() -> Iterator[ServiceContainer]:
    Worker.seen.clear()
    container = ServiceContainer(Worker, {})
    container.start()
    yield container
    container.stop()


def test_work_that_fails_is_begun_again_after_a_pause() -> None:
    with running():
        begun = time.monotonic()
        while Worker.seen["failing"] < 4:
            eventlet.sleep(0.01)
            assert time.monotonic() - begun < 10
        assert time.monotonic() - begun > 0.3


def test_a_turn_that_fails_is_not_the_last() -> None:
    with running():
        begun = time.monotonic()
        while Worker.seen["ticking"] < 5:
            eventlet.sleep(0.01)
            assert time.monotonic() - begun < 10


def test_the_end_is_heard_while_the_work_waits() -> None:
    with running() as container:
        eventlet.sleep(0.1)
        begun = time.monotonic()
        container.stop()
        assert time.monotonic() - begun < 2
    assert Worker.seen["waiting"] == 1
