"""The way to PostgreSQL through SQLAlchemy, for use cases; `shared.postgres` has the plain one.

Time-outs are short everywhere; a database that is away becomes `Unavailable`, never a hang. One that gives up a single
query is not away: that is `QueryGivenUp`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import URL, Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from shared.errors import QueryGivenUp, Unavailable
from shared.postgres import AWAY, STATEMENT_TIMEOUT_MS, is_given_up
from shared.settings import Settings

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


def engine(settings: Settings, *, pool_size: int = 5, statement_timeout_ms: int = STATEMENT_TIMEOUT_MS) -> Engine:
    """An engine of this process's role; the pool never grows past `pool_size`."""
    info = settings.conninfo()
    return create_engine(
        URL.create("postgresql+psycopg"),
        connect_args={**info, "options": f"-c statement_timeout={statement_timeout_ms} -c timezone=UTC"},
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
        hide_parameters=True,
    )


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
