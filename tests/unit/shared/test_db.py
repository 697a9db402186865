"""What a database error means: away, given up, or a fault of the query's own."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.db import unavailable_when_down
from shared.errors import QueryGivenUp, Unavailable


def by_sqlalchemy(error: psycopg.Error) -> DBAPIError:
    """As an engine raises it."""
    return OperationalError("SELECT 1", {}, error)


@pytest.mark.parametrize(
    "error",
    [psycopg.OperationalError("the connection is lost"), psycopg.InterfaceError(), errors.AdminShutdown(),
     by_sqlalchemy(errors.AdminShutdown()), by_sqlalchemy(psycopg.OperationalError()), PoolTimeout()],
)  # fmt: skip
def test_a_lost_connection_is_the_database_being_away(error: Exception) -> None:
    with pytest.raises(Unavailable, match="the database is not available") as raised, unavailable_when_down():
        raise error
    assert not isinstance(raised.value, QueryGivenUp)


@pytest.mark.parametrize("error", [errors.QueryCanceled(), errors.LockNotAvailable(), errors.DeadlockDetected()])
@pytest.mark.parametrize("wrap", [lambda error: error, by_sqlalchemy], ids=["plain", "by SQLAlchemy"])
def test_a_query_that_was_given_up_is_no_lost_database(error: psycopg.Error, wrap: type[Exception]) -> None:
    with pytest.raises(QueryGivenUp, match="took too long"), unavailable_when_down():
        raise wrap(error)


@pytest.mark.parametrize("error", [errors.UndefinedTable(), DBAPIError("SELECT 1", {}, errors.UniqueViolation())])
def test_other_errors_pass(error: Exception) -> None:
    with pytest.raises(type(error)), unavailable_when_down():
        raise error
