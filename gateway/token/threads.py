"""Slow work beside an event loop: comparing passwords, asking a directory, writing to the database.

A bounded number of threads, a bounded number of waiting calls, and one call for all who ask the same at once.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from shared.errors import Unavailable

NEAR: Final = 8
FAR: Final = 16
WRITING: Final = 4
MOST_WAITING: Final = 400

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Threads:
    """One lane of an event loop; a second lane is not held up by what the first one waits for."""

    def __init__(self, size: int) -> None:
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="slow")
        self._flights: dict[object, asyncio.Future[Any]] = {}
        self._waiting = 0

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The call's result. Raises what it raises, and Unavailable where too many wait already."""
        return await asyncio.shield(self.start(call, *args, **kwargs))

    def start(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> "asyncio.Future[_T]":
        """Begin a call that goes on whether or not somebody waits for it. Raises Unavailable."""
        if self._waiting >= MOST_WAITING:
            raise Unavailable("too many logins at once: try again in a moment")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(*args, **kwargs))
        future.add_done_callback(self._landed)
        return future

    async def together(
        self, key: object, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> tuple[_T, bool]:
        """The call's result, and whether this was the one that made it: who asks the same meanwhile shares it."""
        flight = self._flights.get(key)
        first = flight is None
        if flight is None:
            flight = self._flights[key] = self.start(call, *args, **kwargs)
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return await asyncio.shield(flight), first

    def close(self) -> None:
        """Wait for the calls under way."""
        self._pool.shutdown(wait=True)

    def _landed(self, future: "asyncio.Future[Any]") -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # taken note of: whoever waits gets it, and nobody has to
