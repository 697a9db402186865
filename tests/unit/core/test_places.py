"""Places at the registry: waited for while they change hands, refused at once when they do not."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from gateway.core.places import Places
from shared.registry.errors import RegistryUnavailable


def test_place_is_waited_for_while_others_come_free() -> None:
    """Ten turns at one place take longer than the patience with any single one."""
    places = Places(1, patience=1.0)

    def turn(_: int) -> None:
        with places.one():
            time.sleep(0.2)

    with ThreadPoolExecutor(10) as pool:
        assert len(list(pool.map(turn, range(10)))) == 10


def test_place_that_nobody_gives_back_is_refused_and_the_next_one_at_once() -> None:
    places = Places(2, patience=0.3)
    with ExitStack() as held:
        held.enter_context(places.one())
        held.enter_context(places.one())
        for shortest, longest in ((0.2, 5.0), (0.0, 0.2)):
            began = time.monotonic()
            with pytest.raises(RegistryUnavailable), places.one():
                pass
            assert shortest <= time.monotonic() - began < longest
    with places.one():
        pass


def test_place_is_free_at_once_after_a_long_rest() -> None:
    places = Places(1, patience=0.05)
    time.sleep(0.2)
    with places.one():
        pass


def test_place_is_given_back_where_the_work_fails() -> None:
    places = Places(1, patience=0.1)
    with pytest.raises(ZeroDivisionError), places.one():
        _ = 1 / 0
    with places.one():
        pass
