"""An outage is waited out; an event that fails by itself is set aside."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import OperationalError

from shared.errors import Unavailable, Unprocessable
from shared.messaging.outage import is_outage


def unavailable_because(cause: Exception) -> Unavailable:
    error = Unavailable()
    error.__cause__ = cause
    return error


def by_sqlalchemy(cause: Exception) -> OperationalError:
    return OperationalError("SELECT 1", {}, cause)


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (Unavailable(), True),
        (unavailable_because(OSError()), True),
        (psycopg.OperationalError("connection refused"), True),
        (psycopg.InterfaceError("the connection is closed"), True),
        (errors.AdminShutdown(), True),
        (errors.CannotConnectNow(), True),
        (errors.DiskFull(), True),
        (errors.TooManyConnections(), True),
        (errors.ReadOnlySqlTransaction(), True),
        (errors.InvalidPassword(), True),
        (by_sqlalchemy(errors.CrashShutdown()), True),
        (unavailable_because(by_sqlalchemy(psycopg.OperationalError("server closed the connection"))), True),
        (errors.LockNotAvailable(), True),
        (errors.QueryCanceled(), False),
        (errors.DeadlockDetected(), False),
        (errors.UniqueViolation(), False),
        (errors.UndefinedTable(), False),
        (unavailable_because(by_sqlalchemy(errors.QueryCanceled())), False),
        (Unprocessable(), False),
        (ValueError(), False),
    ],
)
def test_what_is_an_outage(error: Exception, *, outage: bool) -> None:
    assert is_outage(error) is outage
