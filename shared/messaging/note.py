"""What a service tells whoever has started it: that it has begun, that it goes on, and what it lacks meanwhile.

A file in the run folder. Its time says that the process turns; its words are the process's number and what was not
there when it was needed last. Nothing is asked for the note's sake.
"""

import os
from contextlib import suppress
from enum import StrEnum
from pathlib import Path


class Need(StrEnum):
    """What a service works with."""

    DATABASE = "database"
    """As it is found by whoever tells it what was counted, every few seconds."""
    BROKER = "broker"
    """As it is found by whoever consumes or publishes."""


class Note:
    """Of one process, whose green threads all tell it what they find."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lacking: set[Need] = set()
        self._has_begun = False

    def begin(self) -> None:
        """Say that the service has begun; what it lacks was noted before."""
        self._has_begun = True
        self._write()

    def go_on(self) -> None:
        """Say that it goes on."""
        with suppress(OSError):  # the note may be gone with its folder
            os.utime(self._file)

    def tell(self, need: Need, *, found: bool) -> None:
        """Note whether something was there; only a change is written."""
        if (need in self._lacking) is not found:
            return
        (self._lacking.discard if found else self._lacking.add)(need)
        if self._has_begun:
            self._write()

    def _write(self) -> None:
        """At once, for whoever reads it at this moment."""
        new = self._file.with_suffix(".new")
        with suppress(OSError):
            new.write_text(" ".join([str(os.getpid()), *sorted(self._lacking)]), encoding="ascii")
            new.replace(self._file)
