"""Running the revisions: Alembic without a configuration file, all of them in one transaction.

Clients go on meanwhile. A revision waits for a table that they use for less time than makes a deadlock, so none of them
is ever given up for it; what has been done is undone then, and begun anew.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.db import engine, unavailable_when_down
from shared.errors import ConfigurationError, QueryGivenUp
from shared.settings import Settings

_FOLDER = Path(__file__).parent
LOCK = 7_302_001  # serialises two `up`s that migrate at once
LOCK_MILLISECONDS: Final = 500
"""PostgreSQL looks for deadlocks after a second."""
PATIENCE_SECONDS: Final = 120.0
_PAUSE_SECONDS: Final = 0.2


def upgrade(settings: Settings) -> str:
    """Bring the database to the newest revision and return its name.

    Raises Unavailable where the database does not answer, QueryGivenUp where somebody uses a table for minutes, and
    ConfigurationError where it is of a newer version.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return _upgrade(settings)
        except QueryGivenUp:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_SECONDS)


def _upgrade(settings: Settings) -> str:
    with _connection(settings) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS}"))
        found = _revision(connection)
        if found != "none" and not is_known(found):
            raise ConfigurationError(
                f"the database is of a newer version of Breakwater (revision {found}; this one knows {newest()}): "
                "use that version, or restore a backup of before"
            )
        command.upgrade(_config(connection), "head")
        return _revision(connection)


def current(settings: Settings) -> str:
    """The database's revision, or `none`."""
    with _connection(settings) as connection:
        return _revision(connection)


def newest() -> str:
    """The revision that this code works with."""
    return ScriptDirectory(str(_FOLDER)).get_current_head() or "none"


def is_known(revision: str) -> bool:
    """Whether a database of that revision can be brought up to date by this code."""
    known = ScriptDirectory(str(_FOLDER)).walk_revisions()
    return revision in {each.revision for each in known}


@contextmanager
def _connection(settings: Settings) -> Iterator[Connection]:
    bind = engine(settings, pool_size=1, statement_timeout_ms=0)
    try:
        with unavailable_when_down(), bind.begin() as connection:
            yield connection
    finally:
        bind.dispose()


def _revision(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or "none"


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
