"""Plain connections to PostgreSQL: for hot paths, LISTEN, and processes that have no use for SQLAlchemy.

Whoever imports no more than this saves the 19 MB that SQLAlchemy takes in each process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen

from shared.errors import QueryGivenUp, Unavailable
from shared.settings import Settings

STATEMENT_TIMEOUT_MS: Final = 10_000
_POLL_SECONDS: Final = 0.1
AWAY: Final = "the database is not available right now: try again in a moment"
_GIVEN_UP: Final = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)


class TooSlow(psycopg.OperationalError):
    """The server did not answer, nor did it hang up."""


class ImpatientConnection(psycopg.Connection[Any]):
    """Gives an answer up that does not come in time: a statement time-out is no help where the server is frozen.

    What was given up on is closed: an answer that comes late would be taken for that of another question.
    """

    patience: float | None = None
    """How many seconds are waited; None for ever."""

    def wait(self, gen: PQGen[RV], interval: float = _POLL_SECONDS, timeout: float | None = None) -> RV:
        """Wait as psycopg does; who gives a time-out of his own knows what to do about it. Raises TooSlow."""
        if timeout is not None or self.patience is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - psycopg has no public name for it
            self.pgconn.finish()
            raise TooSlow("the database did not answer in time") from error


def connect(
    settings: Settings,
    *,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    connect_seconds: int | None = None,
    patience: float | None = None,
) -> ImpatientConnection:
    """A connection in autocommit mode. Raises Unavailable where the database does not answer.

    With `patience` an answer that takes so many seconds is given up on, also where the server stands still.
    """
    info = settings.conninfo() | {"options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"}
    if connect_seconds is not None:
        info["connect_timeout"] = connect_seconds
    try:
        connection = ImpatientConnection.connect(**info, autocommit=True)  # type: ignore[arg-type]  # psycopg types its keywords one by one
    except psycopg.OperationalError as error:
        raise Unavailable(AWAY) from error
    connection.patience = patience
    return connection


@contextmanager
def unavailable_when_down() -> Iterator[None]:
    """Turn "the database is away" into Unavailable and "it took too long" into QueryGivenUp; other errors pass.

    For plain connections; `shared.db` has the same for sessions.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise (QueryGivenUp() if is_given_up(error) else Unavailable(AWAY)) from error


def is_given_up(error: BaseException | None) -> bool:
    """Whether the server has given up one query, by a time-out or to end a deadlock: the connection is still good."""
    return isinstance(error, _GIVEN_UP)
