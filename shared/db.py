"""The way to PostgreSQL through SQLAlchemy, for use cases; `shared.postgres` has the plain one.

Time-outs are short everywhere; a database that is away becomes `Unavailable`, never a hang. One that gives up a single
query is not away: that is `QueryGivenUp`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Engine, MetaData, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from shared.errors import QueryGivenUp, Unavailable
from shared.postgres import AWAY, STATEMENT_TIMEOUT_MS, ImpatientConnection, TooSlow, is_given_up
from shared.settings import Settings

_CONNECT_SECONDS: Final = 2
_LOOK_SECONDS: Final = 0.5
"""A connection that was idle is asked first whether it is still good."""
_LATE_SECONDS: Final = 2.0
"""So much later than the server would have given a statement up."""
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def metadata_for(schema: str) -> MetaData:
    """The MetaData that a service's tables.py hangs its tables on."""
    return MetaData(schema=schema, naming_convention=_NAMING)


def engine(
    settings: Settings,
    *,
    pool_size: int = 5,
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    impatient: bool = False,
) -> Engine:
    """An engine of this process's role; the pool never grows past `pool_size`.

    An impatient one gives up on a server that stands still, for whoever has few threads and answers requests: to hand
    out a connection takes it less than three seconds.
    """
    info = settings.conninfo()
    bind = create_engine(
        URL.create("postgresql+psycopg"),
        connect_args={**info, "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        hide_parameters=True,
    )
    if impatient:
        _Impatience(statement_timeout_ms / 1000 + _LATE_SECONDS).watch(bind)
    return bind


class _Impatience:
    """Of one engine: a server that stands still costs each request seconds at first, and then one thread at a time."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._stands_still = False
        self._trying = Lock()

    def watch(self, bind: Engine) -> None:
        """Have its connections give up."""
        event.listen(bind, "do_connect", self._connect)
        event.listen(bind, "checkin", _expect_a_look)
        event.listen(bind, "checkout", self._expect_statements)

    def _connect(self, _dialect: object, _record: object, arguments: Any, parameters: Any) -> ImpatientConnection:  # noqa: ANN401 - SQLAlchemy's
        """Raises psycopg.OperationalError: at once where the last attempt was in vain and another one is under way."""
        alone = self._stands_still
        if alone and not self._trying.acquire(blocking=False):
            raise TooSlow(AWAY)
        try:
            connection = ImpatientConnection.connect(*arguments, **parameters | {"connect_timeout": _CONNECT_SECONDS})
        except psycopg.Error as error:
            self._stands_still = isinstance(error, psycopg.errors.ConnectionTimeout)
            raise
        finally:
            if alone:
                self._trying.release()
        self._stands_still = False
        connection.patience = self._patience
        return connection

    def _expect_statements(self, connection: ImpatientConnection, _record: object, _proxy: object) -> None:
        connection.patience = self._patience


def _expect_a_look(connection: ImpatientConnection | None, _record: object) -> None:
    if connection is not None:
        connection.patience = _LOOK_SECONDS


def session_factory(bind: Engine) -> sessionmaker[Session]:
    """Sessions whose records stay readable after the commit."""
    return sessionmaker(bind, expire_on_commit=False)


@contextmanager
def unavailable_when_down() -> Iterator[None]:
    """Turn "the database is away" into Unavailable and "it took too long" into QueryGivenUp; other errors pass."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError, PoolTimeout) as error:
        raise (QueryGivenUp() if is_given_up(getattr(error, "orig", error)) else Unavailable(AWAY)) from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable(AWAY) from error
        raise
