"""A bulkhead: so many requests at once may wait for the registry, so that one that hangs leaves threads to all else."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from time import monotonic

from shared.registry.errors import RegistryUnavailable


class Places:
    """Places of one process. They are waited for as long as they change hands: a slow registry is no hanging one."""

    def __init__(self, count: int, *, patience: float) -> None:
        """`patience` is how many seconds may pass without a place taken or given back."""
        self._free = Semaphore(count)
        self._patience = patience
        self._moved = monotonic()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place during the block. Raises RegistryUnavailable where they do not change hands any more."""
        while not self._free.acquire(timeout=max(0.0, self._moved + self._patience - monotonic())):
            if monotonic() - self._moved >= self._patience:
                raise RegistryUnavailable
        self._moved = monotonic()
        try:
            yield
        finally:
            self._moved = monotonic()
            self._free.release()
