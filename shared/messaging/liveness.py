"""Liveness of a service in green threads: it shows that it goes on, and ends itself where it stands still.

A loop or a call that never yields stops every green thread of its process: none of them can say so. A thread of the
system's looks after them. What is killed by it is started again by whoever started it, and takes up its work as after
any other crash.
"""

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import eventlet
from eventlet.patcher import original

from shared.messaging.note import Note

BEAT_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 120.0
"""So long a service may stand still; nothing of ours takes a tenth of it."""
EXIT_CODE: Final = 70
"""EX_SOFTWARE."""
_FRAMES: Final = 6


class Liveness:
    """Of the process that makes it, which has one event loop, in the main thread."""

    def __init__(
        self,
        part: str,
        note: Note,
        *,
        every: float = BEAT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        """`note` is told again and again that the service goes on; times are in seconds."""
        self._part = part
        self._note = note
        self._every = every
        self._patience = patience
        self._end = end
        self._beats = 0

    def keep(self) -> None:
        """Begin; it goes on until the process ends."""
        eventlet.spawn_n(self._beat)
        original("threading").Thread(target=self._watch, name="liveness", daemon=True).start()

    def _beat(self) -> None:
        while True:
            self._beats += 1
            self._note.go_on()
            eventlet.sleep(self._every)

    def _watch(self) -> None:
        """Counts its own turns, and no clock: a process that was stopped as a whole has not stood still."""
        sleep = original("time").sleep
        seen, turns = -1, 0
        while turns * self._every < self._patience:
            sleep(self._every)
            turns = turns + 1 if self._beats == seen else 0
            seen = self._beats
        self._tell()
        self._end(EXIT_CODE)

    def _tell(self) -> None:
        """One line as all others, but written by hand: a lock of the logging may be what is waited for."""
        frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - there is no other way
        line = {
            "timestamp": datetime.now(UTC).isoformat(),
            "level": "error",
            "event": "stood_still",
            "part": self._part,
            "seconds": self._patience,
            "where": "".join(traceback.format_stack(frame)[-_FRAMES:]),
        }
        os.write(sys.stdout.fileno(), json.dumps(line).encode() + b"\n")
