"""Who is refused has changed nothing: the database is looked at around every change that is asked of the API.

Cheaply: whoever writes takes a transaction's number, and where none was taken meanwhile nobody has written. Only where
one was, all tables are summed up.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tests.integration.conftest import Database

Sums = dict[str, tuple[int, int]]
"""Of each table how many rows it has, and what their contents add up to."""
REFUSALS: Final = range(400, 500)

LEFT_OUT: Final = {
    "metrics.figures": "counts requests, refused ones too",
    "metrics.parts": "the same",
    "token.login_failures": "counts wrong passwords",
    "gateway.sessions": "knows when a session was used last",
}
_NEXT: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
_TABLES: Final = """
    SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1
"""


@dataclass
class Asked:
    """A request that may change something, and how it was answered."""

    what: str
    status: int = 0


class Unchanged:
    """Watches one database. Where several requests are under way at once nobody can tell who wrote: none is judged."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: psycopg.Connection | None = None
        self._query = ""
        self._lock = Lock()
        self._running = self._begun = 0
        self._known: tuple[str, Sums] | None = None

    @contextmanager
    def where_refused(self, what: str) -> Iterator[Asked]:
        """Around a request, whose status the caller sets."""
        asked = Asked(what)
        with self._lock:
            self._running += 1
            self._begun += 1
            begun, alone = self._begun, self._running == 1
            before = self._look() if alone else None
        try:
            yield asked
        finally:
            with self._lock:
                self._running -= 1
                if before and begun == self._begun and asked.status in REFUSALS:
                    self._compare(before, asked)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _compare(self, before: tuple[str, Sums], asked: Asked) -> None:
        number = self._ask(_NEXT)
        if number == before[0]:
            return
        after = self._sums()
        self._known = (number, after)
        changed = sorted(table for table, sum_ in after.items() if before[1].get(table) != sum_)
        assert not changed, f"{asked.what} was refused ({asked.status}), and changed {', '.join(changed)}"

    def _look(self) -> tuple[str, Sums]:
        number = self._ask(_NEXT)
        if self._known is None or self._known[0] != number:
            self._known = (number, self._sums())
        return self._known

    def _sums(self) -> Sums:
        if not self._query:
            tables = [table for (table,) in self._run(_TABLES) if table not in LEFT_OUT]
            self._query = " UNION ALL ".join(
                f"SELECT '{table}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {table} t"  # noqa: S608 - names of tables
                + (" WHERE type NOT LIKE 'breakwater.user.login_failed%'" if table == "events.outbox" else "")
                for table in tables
            )
        return {table: (count, int(sum_)) for table, count, sum_ in self._run(self._query)}

    def _ask(self, query: str) -> str:
        return str(self._run(query)[0][0])

    def _run(self, query: str) -> list[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = self._database.superuser()
        return self._connection.execute(query.encode()).fetchall()
