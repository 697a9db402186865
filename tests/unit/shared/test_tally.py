"""What a process counts until it can tell it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.metrics.figures import FIGURES, Counter, State, Timing
from shared.metrics.tally import Tally, Told

PULLS = Counter(name="pulls", meaning="", labels=("kind",))
SECONDS = Timing(name="seconds", meaning="", bounds=(0.1, 1.0))
FREE = State(name="free", meaning="")


def values(told: list[Told]) -> dict[tuple[str, ...], float]:
    return {(each.name, *each.labels): each.value for each in told}


def test_what_happens_is_added_up_and_taken_once() -> None:
    tally = Tally()
    for kind in ("tag", "tag", "digest"):
        tally.count(PULLS, kind)
    tally.count(PULLS, "tag", by=5)
    assert values(tally.take()) == {("pulls", "tag"): 7, ("pulls", "digest"): 1}
    assert tally.take() == []


def test_nothing_that_happened_is_no_value() -> None:
    tally = Tally()
    tally.count(PULLS, "tag", by=0)
    assert tally.take() == []


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.0, "0.1"), (0.1, "0.1"), (0.11, "1.0"), (1.0, "1.0"), (1.01, "+Inf"), (3600.0, "+Inf")]
)
def test_what_takes_time_counts_below_its_bound(seconds: float, bound: str) -> None:
    tally = Tally()
    tally.time(SECONDS, seconds)
    assert values(tally.take()) == {("seconds", bound): 1, ("seconds", "sum"): seconds}


def test_of_a_state_the_last_word_counts() -> None:
    tally = Tally()
    tally.set(FREE, 10)
    tally.set(FREE, 7)
    assert tally.take() == [Told(name="free", labels=(), value=7, adds=False)]


def test_what_could_not_be_told_is_kept_and_never_overwrites_what_is_newer() -> None:
    tally = Tally()
    tally.count(PULLS, "tag")
    tally.set(FREE, 10)
    untold = tally.take()
    tally.count(PULLS, "tag", by=2)
    tally.set(FREE, 7)
    tally.put_back(untold)
    assert values(tally.take()) == {("pulls", "tag"): 3, ("free",): 7}


def test_many_threads_lose_nothing() -> None:
    tally, taken = Tally(), []

    def count(number: int) -> None:
        tally.count(PULLS, "tag")
        if number % 100 == 0:
            taken.extend(tally.take())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(5_000)))
    assert sum(each.value for each in [*taken, *tally.take()]) == 5_000


def test_every_figure_has_a_name_of_its_own_and_says_what_it_means() -> None:
    assert len({each.name for each in FIGURES}) == len(FIGURES)
    assert all(each.meaning.endswith(".") for each in FIGURES)
    assert not {label for each in FIGURES for label in each.labels} & {"part", "le", "repository", "project", "user"}


def test_what_only_rises_is_told_as_such() -> None:
    tally = Tally()
    tally.set(State(name="through", meaning="", rises=True), 3)
    tally.set(FREE, 7)
    assert {(each.name, each.rises) for each in tally.take()} == {("through", True), ("free", False)}
