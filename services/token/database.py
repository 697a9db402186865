"""The one connection on which an event loop asks synchronously: so short that waiting for it costs less than not to.

It must never stall the loop: each question has a limit on the client's side too, and after a failure the database is
left alone for a moment while requests are refused at once.
"""

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import psycopg

from shared.directory import Source
from shared.errors import Unavailable
from shared.postgres import ImpatientConnection, TooSlow, is_given_up, unavailable_when_down
from shared.settings import Settings

_ANSWER_SECONDS: Final = 1.0
_REST_SECONDS: Final = 0.5
_CONNECT_SECONDS: Final = 2
# The server gives a slow query up before we do, so that the connection stays good.
# Planned once: the queries are lookups by index, whatever the names are, and too short to remember what was looked up.
_OPTIONS: Final = (
    "-c statement_timeout=800 -c plan_cache_mode=force_generic_plan -c enable_memoize=off -c timezone=UTC"
)
_Answer = TypeVar("_Answer")


class HotConnection:
    """Reconnects by itself. Belongs to one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cursor: psycopg.Cursor[Any] | None = None
        self._rests_until = 0.0
        self._failure = Unavailable()

    def ask(self, question: Callable[[Source], _Answer]) -> _Answer:
        """Ask on the connection. Raises Unavailable, of which QueryGivenUp where the database was only too slow."""
        if time.monotonic() < self._rests_until:
            raise type(self._failure)(self._failure.sentence)
        try:
            with unavailable_when_down():
                return self._ask(question)
        except Unavailable as failure:
            self._failure = type(failure)(failure.sentence)
            self._rests_until = time.monotonic() + _REST_SECONDS
            raise

    def _ask(self, question: Callable[[Source], _Answer]) -> _Answer:
        """Ask once more on a fresh connection where the kept one turns out to be dead."""
        retry = self._cursor is not None
        while True:
            try:
                return question(self._cursor or self._open())
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                if is_given_up(error):
                    raise
                self.close()
                if not retry or isinstance(error, TooSlow):
                    raise
                retry = False

    def close(self) -> None:
        """Drop the connection without another word to the server."""
        if self._cursor is not None:
            self._cursor.connection.pgconn.finish()
            self._cursor = None

    def _open(self) -> psycopg.Cursor[Any]:
        info = self._settings.conninfo() | {
            "connect_timeout": _CONNECT_SECONDS,
            "options": _OPTIONS,
        }
        connection = ImpatientConnection.connect(**info, autocommit=True, prepare_threshold=0)  # type: ignore[arg-type]  # psycopg types its keywords one by one
        connection.patience = _ANSWER_SECONDS
        self._cursor = connection.cursor()
        return self._cursor
