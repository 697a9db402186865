"""Whose turn it is among several processes that run tests: many at once, or one alone."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING, Final

from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

FOLDER: Final = CHECKOUT / "var" / "test"


class Turns:
    """One process's place in a room with a door.

    Who is in the room is counted by a lock that many share; who wants it for himself waits in the open door until all
    others have left, and meanwhile nobody else gets in.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._door = _opened(folder / "door.lock")
        self._room = _opened(folder / "room.lock")
        self._alone = False

    def begin(self, *, alone: bool) -> None:
        """Wait until it is one's turn; who has kept the room from before need not."""
        if self._alone:
            return
        fcntl.flock(self._door, fcntl.LOCK_EX)
        fcntl.flock(self._room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._alone = alone
        if not alone:
            fcntl.flock(self._door, fcntl.LOCK_UN)

    def end(self, *, again: bool = False) -> None:
        """Leave the room; who is to be alone again at once keeps it."""
        if again:
            return
        self._alone = False
        fcntl.flock(self._room, fcntl.LOCK_UN)
        fcntl.flock(self._door, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give up the place."""
        self._room.close()
        self._door.close()


def _opened(path: Path) -> IO[bytes]:
    return path.open("wb")
