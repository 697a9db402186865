"""What many need at once is fetched once, and fails for all who wait."""

from __future__ import annotations

import threading

import pytest

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.once import Once


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_kept_until_its_end() -> None:
    clock, fetched = Clock(), iter("abc")
    once: Once[str] = Once(clock=clock)
    assert [once.get(lambda: (next(fetched), 10)) for _ in range(2)] == ["a", "a"]
    clock.now = 10
    assert once.is_over
    assert once.get(lambda: (next(fetched), 10)) == "b"


def test_only_the_value_that_was_refused_is_forgotten() -> None:
    once: Once[str] = Once()
    once.put("new", 10)
    once.forget("old")
    assert once.get(lambda: ("newer", 10)) == "new"
    once.forget("new")
    assert once.get(lambda: ("newer", 10)) == "newer"


@pytest.mark.parametrize("fails", [False, True])
def test_many_who_ask_at_once_ask_once(fails: bool) -> None:  # noqa: FBT001
    once: Once[str] = Once()
    entered, go, calls, results = threading.Event(), threading.Event(), [0], []

    def fetch() -> tuple[str, float]:
        calls[0] += 1
        entered.set()
        go.wait(10)
        if fails:
            raise AttemptFailed(Fault.UNREACHABLE, "no")
        return "value", 10

    def ask() -> None:
        try:
            results.append(once.get(fetch))
        except AttemptFailed as failure:
            results.append(failure.sentence)

    first = threading.Thread(target=ask)
    first.start()
    entered.wait(10)
    others = [threading.Thread(target=ask) for _ in range(8)]
    for each in others:
        each.start()
    while threading.active_count() < 10:
        pass
    # they wait at its lock: a moment for the last one to have come there
    threading.Event().wait(0.2)
    go.set()
    for each in (first, *others):
        each.join(10)
    assert (calls, results) == ([1], ["no" if fails else "value"] * 9)
