"""Endless work: begun again when it fails, ended when the service stops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import eventlet
import psycopg
import pytest
from nameko.containers import ServiceContainer
from sqlalchemy.exc import OperationalError, ProgrammingError

from shared.errors import Unavailable
from shared.messaging.forever import Stopping, every, forever, sentence_of
from shared.postgres import AWAY


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


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Unavailable("the database is away"), "the database is away"),
        (ConnectionResetError(), "ConnectionResetError"),
        (psycopg.OperationalError("connection is bad\n\tIs it running?"), f"{AWAY} (connection is bad)"),
        (OperationalError("SELECT 1", {}, psycopg.errors.AdminShutdown("it ends")), f"{AWAY} (it ends)"),
        (OperationalError("SELECT 1", {}, psycopg.errors.QueryCanceled("too long")), None),
        (OperationalError("SELECT 1", {}, psycopg.errors.DeadlockDetected("each waits")), None),
        (ProgrammingError("SELECT 1", {}, psycopg.errors.UndefinedTable("no table")), None),
        (ValueError("a fault of ours"), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_was_lost_is_told_in_a_sentence_and_a_fault_of_ours_by_its_traceback(
    error: Exception, sentence: str | None
) -> None:
    assert sentence_of(error) == sentence


def test_the_end_is_heard_while_the_work_waits() -> None:
    with running() as container:
        eventlet.sleep(0.1)
        begun = time.monotonic()
        container.stop()
        assert time.monotonic() - begun < 2
    assert Worker.seen["waiting"] == 1
