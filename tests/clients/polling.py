"""Waits for a fact instead of sleeping: every wait in the tests has a deadline and says what never came true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class NeverCameTrueError(AssertionError):
    """The deadline passed; the message holds what was waited for and what was seen last."""


def eventually(check: Callable[[], T | None], *, within: float, what: str, every: float = 0.05) -> T:
    """The first truthy answer of `check`; fails after `within` seconds. An exception in `check` is not waited out."""
    deadline = time.monotonic() + within
    while True:
        seen = check()
        if seen:
            return seen
        if time.monotonic() > deadline:
            message = f"not within {within:g} s: {what}; last seen: {seen!r}"
            raise NeverCameTrueError(message)
        time.sleep(every)


def settled(read: Callable[[], T], wanted: T, *, within: float, what: str, every: float = 0.1) -> T:
    """Waits until `read` gives `wanted`; the message shows what it gave instead."""
    deadline = time.monotonic() + within
    while True:
        seen = read()
        if seen == wanted:
            return seen
        if time.monotonic() > deadline:
            message = f"not within {within:g} s: {what}; wanted {wanted!r}, last seen {seen!r}"
            raise NeverCameTrueError(message)
        time.sleep(every)
