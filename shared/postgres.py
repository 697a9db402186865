"""Plain connections to PostgreSQL: for hot paths, LISTEN, and processes that have no use for SQLAlchemy.

Whoever imports no more than this saves the 19 MB that SQLAlchemy takes in each process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from shared.errors import QueryGivenUp, Unavailable
from shared.settings import Settings

STATEMENT_TIMEOUT_MS: Final = 10_000
AWAY: Final = "the database is not available right now: try again in a moment"
_GIVEN_UP: Final = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)


def connect(settings: Settings, *, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> psycopg.Connection:
    """A connection in autocommit mode. Raises Unavailable where the database does not answer."""
    options = f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"
    try:
        return psycopg.connect(**settings.conninfo(), autocommit=True, options=options)  # type: ignore[arg-type]  # psycopg types its keywords one by one
    except psycopg.OperationalError as error:
        raise Unavailable(AWAY) from error


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
