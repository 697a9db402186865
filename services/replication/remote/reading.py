"""A blob on its way from its source to a target: hashed, counted and checked while it is sent, once or in parts."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from services.replication.domain.task import Fault
from services.replication.ends import Opener, Stream
from services.replication.errors import AttemptFailed
from services.replication.remote.transport import BLOCK
from shared.registry.manifests import Descriptor

_STRIDE: Final = 16 * BLOCK
"""The hash is kept each so many bytes: whoever goes on in the middle reads no more than that again."""


class Sending:
    """One blob; it can be read again from any offset on, and is hashed as a whole all the same."""

    def __init__(self, blob: Descriptor, source: Opener, sent: Callable[[int], None]) -> None:
        self.size = blob.size
        self.digest = blob.digest
        self.sent = sent
        self._source = source
        self._marks = [(0, hashlib.new(blob.digest.text.partition(":")[0]))]

    @contextmanager
    def at(self, offset: int) -> Iterator["Reading"]:
        """Read on from an offset."""
        while self._marks[-1][0] > offset:
            self._marks.pop()
        start = self._marks[-1][0]
        with self._source(start) as stream:
            reading = Reading(self, stream, start)
            while reading.offset < offset:
                reading.take(min(BLOCK, offset - reading.offset))
            yield reading

    def mark(self, offset: int, hasher: "hashlib._Hash") -> None:
        """Remember how far the hash is."""
        if offset - self._marks[-1][0] >= _STRIDE:
            self._marks.append((offset, hasher.copy()))

    def hasher(self) -> "hashlib._Hash":
        """The hash as it is at the last mark."""
        return self._marks[-1][1].copy()


class Reading:
    """A blob that is being read. The last piece is held back until the digest is known to be right."""

    def __init__(self, sending: Sending, stream: Stream, start: int) -> None:
        self.offset = start
        self._sending = sending
        self._stream = stream
        self._hasher = sending.hasher()
        self._check()

    def take(self, amount: int) -> bytes:
        """The next bytes. Raises AttemptFailed where they break off, or are not those of the digest."""
        piece = self._stream.read(min(amount, self._sending.size - self.offset))
        if not piece and self.offset < self._sending.size:
            raise AttemptFailed(
                Fault.CORRUPT, f"{self._sending.digest} ends after {self.offset} of {self._sending.size} bytes"
            )
        self._hasher.update(piece)
        self.offset += len(piece)
        self._sending.mark(self.offset, self._hasher)
        self._check()
        return piece

    def part(self, length: int) -> "Part":
        """The next bytes, as the body of a request."""
        return Part(self, length, self._sending.sent)

    def _check(self) -> None:
        found, wanted = self._hasher.hexdigest, self._sending.digest.text.partition(":")[2]
        if self.offset == self._sending.size and found() != wanted:
            raise AttemptFailed(Fault.CORRUPT, f"the content that came for {self._sending.digest} is another")


class Part:
    """A body of a known length, in pieces; each is counted when the next one is asked for."""

    def __init__(self, reading: Reading, length: int, sent: Callable[[int], None]) -> None:
        self._reading = reading
        self._left = length
        self._sent = sent
        self._last = 0

    def read(self, amount: int, /) -> bytes:
        """The next piece, none at the end."""
        if self._last:
            self._sent(self._last)
        piece = self._reading.take(min(amount, self._left)) if self._left else b""
        self._last = len(piece)
        self._left -= len(piece)
        return piece
