"""A few kept connections for the intake: one statement each, no session, no pool thread."""

from collections.abc import Callable
from queue import Empty, LifoQueue
from typing import Final, TypeVar

import psycopg

from shared.errors import Unavailable
from shared.postgres import ImpatientConnection, TooSlow, connect, unavailable_when_down
from shared.settings import Settings

WAIT_SECONDS: Final = 2.0
STATEMENT_TIMEOUT_MS: Final = 3_000
CONNECT_SECONDS: Final = 2
PATIENCE: Final = 4.0
"""Where a server stands still nothing else gives a connection back."""
LOOK_SECONDS: Final = 0.8
"""Patience of whoever asks for nothing but an answer."""

T = TypeVar("T")


class Connections:
    """Lends connections in autocommit mode, at most `limit` at once."""

    def __init__(self, settings: Settings, *, limit: int) -> None:
        self._settings = settings
        self._idle: LifoQueue[ImpatientConnection | None] = LifoQueue(limit)
        for _ in range(limit):
            self._idle.put(None)

    def run(self, work: Callable[[psycopg.Connection], T], *, patience: float = PATIENCE) -> T:
        """Do some work that may be done twice: where a kept connection turns out dead, it is done again on a new one.

        An answer that takes longer than `patience`, in seconds, is given up on.

        Raises Unavailable where the database is away or every connection is taken.
        """
        try:
            kept = self._idle.get(timeout=WAIT_SECONDS)
        except Empty as error:
            raise Unavailable from error
        connection = kept
        try:
            with unavailable_when_down():
                if kept is not None:
                    kept.patience = patience
                    try:
                        return work(kept)
                    except TooSlow:
                        raise
                    except (psycopg.OperationalError, psycopg.InterfaceError):
                        if not kept.closed:
                            raise
                connection = connect(
                    self._settings, statement_timeout_ms=STATEMENT_TIMEOUT_MS, connect_seconds=CONNECT_SECONDS
                )
                connection.patience = patience
                return work(connection)
        finally:
            self._idle.put(None if connection is None or connection.closed else connection)

    def close(self) -> None:
        """Close what is kept."""
        while not self._idle.empty():
            connection = self._idle.get_nowait()
            if connection is not None:
                connection.close()
