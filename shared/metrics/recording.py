"""Telling the database what a process has counted, and that it lives, every few seconds in a thread of its own.

Its connection is opened for the moment: kept, each process's would cost the database megabytes.
"""

import json
from collections.abc import Callable
from threading import Event as Bell
from threading import Thread
from typing import Final, LiteralString

from shared import logging
from shared.errors import BreakwaterError, QueryGivenUp
from shared.metrics.tally import Tally
from shared.postgres import connect, unavailable_when_down
from shared.settings import Settings

TELLING_SECONDS: Final = 15.0
SILENT_SECONDS: Final = 50.0
"""After so long without a word a part counts as down; two may be missed."""
_STATEMENT_TIMEOUT_MS: Final = 3_000
_PATIENCE: Final = 5.0
# what a crash of the database takes with it is a few seconds of counting: nobody waits for its disk
_TELL: Final[LiteralString] = "SELECT set_config('synchronous_commit', 'off', true), metrics.tell(%s::jsonb)"


class Recorder:
    """Of one process. Begin it after a fork, not before: threads are not inherited."""

    def __init__(
        self,
        settings: Settings,
        tally: Tally,
        *,
        gather: Callable[[], object] = lambda: None,
        told: Callable[[bool], object] = lambda _: None,
    ) -> None:
        """`gather` is called before each turn but the last, and counts what lies elsewhere; `told` after each.

        `told` hears whether the database was there.
        """
        self._settings = settings
        self._tally = tally
        self._gather = gather
        self._told = told
        self._ended = Bell()
        self._complained = False

    def keep(self) -> None:
        """Tell from now on, until `close`."""
        Thread(target=self._keep, name="metrics", daemon=True).start()

    def close(self) -> None:
        """End, and tell what is left, as far as the database answers."""
        self._ended.set()
        self._turn()

    def tell(self) -> None:
        """Tell once. Raises Unavailable, QueryGivenUp, ConfigurationError, and then keeps what was counted."""
        taken = self._tally.take()
        values = [
            {"name": told.name, "labels": told.labels, "value": told.value, "adds": told.adds, "rises": told.rises}
            for told in taken
        ]
        told = False
        try:
            with (
                unavailable_when_down(),
                connect(self._settings, statement_timeout_ms=_STATEMENT_TIMEOUT_MS, patience=_PATIENCE) as connection,
            ):
                connection.execute(_TELL, (json.dumps(values),))
                told = True
        finally:
            if not told:
                self._tally.put_back(taken)

    def _keep(self) -> None:
        self._turn()
        while not self._ended.wait(TELLING_SECONDS):
            self._gather()
            self._turn()

    def _turn(self) -> None:
        """Tell; what goes on failing is in the log once."""
        try:
            self.tell()
        except BreakwaterError as error:
            logging.get().debug("metrics.put_off", reason=error.sentence)
            self._told(isinstance(error, QueryGivenUp))
        except Exception as error:  # noqa: BLE001 - the thread must outlive any one bad turn; the line tells of it
            if not self._complained:
                logging.get().error("metrics.not_told", exc_info=error)
            self._complained = True
        else:
            self._complained = False
            self._told(True)
