"""How far one task is: counted where it happens, read by whoever writes it down."""

import threading
from collections.abc import Callable

from services.replication.domain.task import Progress


class Meter:
    """Safe to be told by several threads at once."""

    def __init__(self, *, take: Callable[[int], None] | None = None) -> None:
        self._take = take
        self._lock = threading.Lock()
        self._now = Progress()

    @property
    def now(self) -> Progress:
        """As it stands."""
        return self._now

    def plan(self, blobs: int, size: int) -> None:
        """So much more there is to do."""
        self._add(blobs_total=blobs, bytes_total=size)

    def arrived(self, size: int) -> None:
        """A blob is at the target, whoever brought it."""
        self._add(blobs_done=1, bytes_done=size)

    def sent(self, amount: int) -> None:
        """So many bytes went over the wire; sleeps where that is more than is allowed."""
        self._add(bytes_sent=amount)
        if self._take is not None:
            self._take(amount)

    def _add(self, **more: int) -> None:
        with self._lock:
            before = self._now
            self._now = Progress(
                blobs_total=before.blobs_total + more.get("blobs_total", 0),
                blobs_done=before.blobs_done + more.get("blobs_done", 0),
                bytes_total=before.bytes_total + more.get("bytes_total", 0),
                bytes_done=before.bytes_done + more.get("bytes_done", 0),
                bytes_sent=before.bytes_sent + more.get("bytes_sent", 0),
            )
