"""What holds for each process that runs tests, the workers of a run in parts included."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from xdist.workermanage import NodeManager

from tests.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Generator

IN_PARTS = "PYTEST_XDIST_WORKER" in os.environ
turns = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    # pytest's readline tells every child process of a terminal of 80 columns: what a command prints would be broken
    # into lines in a worker, and nowhere else
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    NodeManager.EXIT_TIMEOUT = 20  # a worker stops its servers within fifteen seconds, or gives up by itself
    if IN_PARTS:
        config.stash[turns] = Turns()


def pytest_unconfigure(config: pytest.Config) -> None:
    if IN_PARTS:
        config.stash[turns].close()


def pytest_keyboard_interrupt() -> None:
    # a worker is asked to end by the terminal and by the run's main process: the second time would cut off the first
    if IN_PARTS:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In parts, those that are to be alone come last: the others are waited for once."""
    if IN_PARTS:
        items.sort(key=_is_alone)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """A test that is marked `alone` has the machine to itself: no other worker of the run is at one meanwhile."""
    if not IN_PARTS:
        return (yield)
    mine = item.config.stash[turns]
    mine.begin(alone=_is_alone(item))
    try:
        return (yield)
    finally:
        mine.end(again=_is_alone(item) and nextitem is not None and _is_alone(nextitem))


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None
