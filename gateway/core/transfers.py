"""Counting what goes past Python: nginx writes a line for each blob, upload and read manifest, this takes them away.

Whoever has the lock counts, of all processes that share a proxy. A file is taken by another name; nginx opens it for
each line, so the next one begins a new file, and nothing is written twice or lost. What a process that is killed has
taken is counted by the next one.
"""

import fcntl
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Final

from gateway.metering import counted_method
from shared import logging
from shared.metrics.figures import TRANSFER_SECONDS, TRANSFERRED, TRANSFERS
from shared.metrics.tally import Tally

SETTLE_SECONDS: Final = 0.5
"""A line may be about to be written into a file that was opened by its old name."""
_FIRST_REFUSAL: Final = 400


class Transfers:
    """Of one process."""

    def __init__(self, written: Path, tally: Tally) -> None:
        """`written` is where nginx writes: `kind method status seconds received sent`."""
        self._written = written
        self._taken = written.with_name(f"{written.name}.taken")
        self._lock = written.with_name(f"{written.name}.lock")
        self._tally = tally
        self._complained = False

    def count(self) -> None:
        """Count what is there now. What goes on failing is in the log once."""
        try:
            with self._lock.open("w") as lock, suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._take()
        except OSError as error:
            if not self._complained:
                logging.get().error("transfers.not_counted", exc_info=error)
            self._complained = True
        else:
            self._complained = False

    def _take(self) -> None:
        if not self._taken.exists():
            if not self._written.exists():
                return
            self._written.rename(self._taken)
            sleep(SETTLE_SECONDS)
        with self._taken.open(encoding="ascii", errors="replace") as lines:
            self._count(lines)
        self._taken.unlink()

    def _count(self, lines: Iterable[str]) -> None:
        for line in lines:
            # of a full disk a line may be in pieces
            with suppress(ValueError):
                kind, method, status, seconds, received, sent = line.split()
                took, came, went = float(seconds), int(received), int(sent)
                method = counted_method(method)
                self._tally.count(TRANSFERS, kind, method, status)
                self._tally.count(TRANSFERRED, "received", by=came)
                self._tally.count(TRANSFERRED, "sent", by=went)
                if int(status) < _FIRST_REFUSAL:
                    self._tally.time(TRANSFER_SECONDS, took, kind, method)
