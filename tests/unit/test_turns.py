"""Processes that take turns: each has files of its own, and that is how these do it within one process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Runner:
    """Begins in a thread of its own, as waiting would hold up the test."""

    def __init__(self, folder: Path) -> None:
        self._turns = Turns(folder)
        self._thread: threading.Thread | None = None

    def begin(self, *, alone: bool = False) -> None:
        self._thread = threading.Thread(target=self._turns.begin, kwargs={"alone": alone}, daemon=True)
        self._thread.start()

    def is_in(self) -> bool:
        assert self._thread
        self._thread.join(0.2)
        return not self._thread.is_alive()

    def end(self, *, again: bool = False) -> None:
        self._turns.end(again=again)

    def close(self) -> None:
        if self._thread:
            self._thread.join(5)
        self._turns.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Runner, Runner, Runner]]:
    runners = Runner(tmp_path), Runner(tmp_path), Runner(tmp_path)
    yield runners
    for runner in runners:
        runner.end()
    for runner in runners:
        runner.close()


def test_who_need_not_be_alone_is_in_beside_others(three: tuple[Runner, Runner, Runner]) -> None:
    for runner in three:
        runner.begin()
        assert runner.is_in()


def test_who_is_to_be_alone_waits_until_all_others_are_out(three: tuple[Runner, Runner, Runner]) -> None:
    one, other, alone = three
    for runner in (one, other):
        runner.begin()
        assert runner.is_in()
    alone.begin(alone=True)
    assert not alone.is_in()
    one.end()
    assert not alone.is_in()
    other.end()
    assert alone.is_in()


def test_nobody_gets_in_before_who_waits_to_be_alone_nor_beside(three: tuple[Runner, Runner, Runner]) -> None:
    one, late, alone = three
    one.begin()
    assert one.is_in()
    alone.begin(alone=True)
    assert not alone.is_in()
    late.begin()
    one.end()
    assert alone.is_in()
    assert not late.is_in()
    alone.end()
    assert late.is_in()


def test_who_is_alone_again_at_once_keeps_the_room(three: tuple[Runner, Runner, Runner]) -> None:
    one, alone, _ = three
    alone.begin(alone=True)
    assert alone.is_in()
    one.begin()
    alone.end(again=True)
    alone.begin(alone=True)
    assert alone.is_in()
    assert not one.is_in()
    alone.end()
    assert one.is_in()
