"""A limit on bytes a second, shared by everything that one policy sends, in this process and in others."""

import threading
import time
from collections.abc import Callable
from typing import Final

_BURST_SECONDS: Final = 0.25
_LONGEST_SLEEP: Final = 5.0


class Throttle:
    """A bucket that fills at a rate: whoever has taken more than is in it sleeps until it is paid for."""

    def __init__(
        self,
        bytes_a_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = bytes_a_second
        self.share = 1.0
        """The part of the rate that is this process's own, above 0; the others have the rest."""
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._paid_at = clock()

    def take(self, amount: int) -> None:
        """Account for bytes that were sent, and sleep where they were too many."""
        with self._lock:
            now = self._clock()
            self._paid_at = max(self._paid_at, now - _BURST_SECONDS) + amount / (self._rate * self.share)
            wait = self._paid_at - now
        while wait > 0:
            self._sleep(min(wait, _LONGEST_SLEEP))
            wait -= _LONGEST_SLEEP
