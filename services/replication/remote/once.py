"""What many need at once, and one fetches while the others wait: a token, a challenge."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from services.replication.errors import AttemptFailed

T = TypeVar("T")
Clock = Callable[[], float]


class Once(Generic[T]):
    """A value with an end; where fetching it fails, it fails for all who were waiting."""

    def __init__(self, *, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: tuple[T, float] | None = None
        self._failed: tuple[AttemptFailed, float] | None = None

    def get(self, fetch: Callable[[], tuple[T, float]]) -> T:
        """The value, from `fetch` where there is none: it gives it with the seconds for which it is good."""
        held = self._held
        if held is not None and held[1] > self._clock():
            return held[0]
        came = self._clock()
        with self._lock:
            if self._held is not None and self._held[1] > self._clock():
                return self._held[0]
            if self._failed is not None and self._failed[1] >= came:
                failure = self._failed[0]
                raise AttemptFailed(failure.fault, failure.sentence, after=failure.after)
            asked = self._clock()
            try:
                value, seconds = fetch()
            except AttemptFailed as failure:
                self._failed = failure, self._clock()
                raise
            self._held = value, asked + seconds
            return value

    def put(self, value: T, seconds: float) -> None:
        """What has become known by another way."""
        self._held = value, self._clock() + seconds

    def forget(self, value: T) -> None:
        """Drop this value, and no newer one."""
        with self._lock:
            if self._held is not None and self._held[0] == value:
                self._held = None

    @property
    def is_over(self) -> bool:
        """Whether it holds nothing that is still good."""
        return self._held is None or self._held[1] <= self._clock()
