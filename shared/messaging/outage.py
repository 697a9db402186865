"""Telling an outage, which is waited out, from an event that fails by itself, which is set aside. Pure."""

from typing import Final

import psycopg

from shared.errors import Unavailable

_OF_THE_SERVER: Final = ("08", "25006", "28", "3D", "53", "55P03", "57P")
"""SQLSTATEs that no event causes: connection, fail-over, login, missing database, resources, a lock that another holds
for longer than whoever asked for it with a lock_timeout would wait, shutdown."""


def is_outage(error: BaseException) -> bool:
    """Whether the same call may succeed soon.

    An Unavailable that hides a cancelled statement, a deadlock and the like is no outage: the event itself causes it.
    """
    database = _database_error(error)
    if database is not None:
        return _of_the_server(database)
    return isinstance(error, Unavailable)


def _database_error(error: BaseException | None) -> psycopg.Error | None:
    for _ in range(8):
        if error is None or isinstance(error, psycopg.Error):
            return error
        error = error.__cause__ or getattr(error, "orig", None)
    return None


def _of_the_server(error: psycopg.Error) -> bool:
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_OF_THE_SERVER)
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
