"""Asking a registry for several things at the same time."""

from threading import Barrier, Event

import pytest

from shared.registry.at_once import MOST, ask_each
from shared.registry.errors import RegistryRefused, RegistryUnavailable


def test_answers_stand_in_the_order_of_the_keys() -> None:
    assert [*ask_each(lambda number: number * number, range(20)).items()] == [(n, n * n) for n in range(20)]
    assert ask_each(lambda number: number, []) == {}


def test_all_are_asked_at_the_same_time() -> None:
    together = Barrier(MOST, timeout=10)
    assert [*ask_each(lambda number: together.wait() >= 0 and number, range(MOST))] == [*range(MOST)]


@pytest.mark.parametrize("number", [1, 3])
def test_a_refusal_stands_in_its_answers_place(number: int) -> None:
    refusal = RegistryRefused()

    def ask(key: int) -> str:
        if key == 0:
            raise refusal
        return "there"

    assert ask_each(ask, range(number)) == {0: refusal, **dict.fromkeys(range(1, number), "there")}


def test_nothing_more_is_asked_of_a_registry_that_is_away() -> None:
    asked: list[int] = []
    away = Event()

    def ask(key: int) -> None:
        asked.append(key)
        if key == 0:
            away.set()
            raise RegistryUnavailable
        # the others that are under way end after it
        away.wait(10)

    with pytest.raises(RegistryUnavailable):
        ask_each(ask, range(10_000))
    assert len(asked) < 10_000
