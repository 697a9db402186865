"""Which blobs a registry is known to hold: what one copy has brought or seen, no other asks for or sends again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from shared.names import Digest

KEPT_SECONDS: Final = 600.0
"""A registry may collect its garbage: what was seen longer ago is asked for again."""
MOST_BLOBS: Final = 100_000
"""Known at once, over all registries; those longest unused give way."""

_Key = tuple[str, str]


class Shelf:
    """Knowledge of one process, for all its copies."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[_Key, dict[str, float]] = OrderedDict()
        self._busy: dict[_Key, threading.Event] = {}

    def holds(self, place: str, repository: str, digest: Digest) -> bool:
        """Whether this repository is known to hold a blob."""
        with self._lock:
            seen = self._known.get((place, digest.text), {}).get(repository)
            return seen is not None and seen > self._clock() - KEPT_SECONDS

    def elsewhere(self, place: str, repository: str, digest: Digest) -> str | None:
        """Another repository of the same registry that is known to hold a blob."""
        with self._lock:
            oldest = self._clock() - KEPT_SECONDS
            held = self._known.get((place, digest.text), {})
            return next((name for name, seen in held.items() if name != repository and seen > oldest), None)

    def add(self, place: str, repository: str, digest: Digest) -> None:
        """Remember that a repository holds a blob."""
        with self._lock:
            self._known.setdefault((place, digest.text), {})[repository] = self._clock()
            self._known.move_to_end((place, digest.text))
            while len(self._known) > MOST_BLOBS:
                self._known.popitem(last=False)

    def forget(self, place: str, repository: str) -> None:
        """Believe nothing any more of a repository: it has said that something is missing."""
        with self._lock:
            for (at, _), held in self._known.items():
                if at == place:
                    held.pop(repository, None)

    @contextmanager
    def alone(self, place: str, digest: Digest) -> Iterator[None]:
        """Wait until nobody else brings this blob to this registry, then be the one who does."""
        key = (place, digest.text)
        while True:
            with self._lock:
                other = self._busy.get(key)
                if other is None:
                    mine = self._busy[key] = threading.Event()
                    break
            other.wait()
        try:
            yield
        finally:
            with self._lock:
                del self._busy[key]
            mine.set()
