"""The numbered log as the stream reads it: pages in order of the sequence, and where the log begins and ends."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

import psycopg
from psycopg.rows import tuple_row

from gateway.events.asking import Filter
from shared.events.catalogue import BY_TYPE
from shared.events.event import Visibility

Connection = psycopg.AsyncConnection[Any]

PAGE: Final = 200

_RIGHTS_CHANGE: Final = frozenset({"project", "member", "robot", "user", "user_group"})

_NEXT: Final = """
    SELECT sequence, type, project, body FROM events.log WHERE sequence > %s ORDER BY sequence LIMIT %s
"""
_REPLAY: Final = """
    SELECT sequence, type, project, body FROM events.log
    WHERE sequence > %(after)s AND sequence <= %(upto)s
      AND (%(types)s::text[] IS NULL OR type = ANY (%(types)s))
      AND (%(projects)s::text[] IS NULL OR project = ANY (%(projects)s))
    ORDER BY sequence LIMIT %(most)s
"""
_NEWEST: Final = "SELECT last_sequence FROM events.relay"
_OLDEST: Final = "SELECT sequence FROM events.log ORDER BY sequence LIMIT 1"
# by its first day and not by its first event: on a day without events there is nothing to miss
_BEGINNING: Final = """
    SELECT min(to_date(substr(c.relname, 5), 'YYYYMMDD'))::timestamp AT TIME ZONE 'UTC'
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'events.log'::regclass
"""
_FIRST_SINCE: Final = "SELECT min(sequence) FROM events.log WHERE recorded_at >= %s"


@dataclass(frozen=True, kw_only=True)
class LoggedEvent:
    """An event of the log, with the two forms in which clients get it."""

    sequence: int
    type: str
    project: str | None
    body: Mapping[str, Any]

    @property
    def visibility(self) -> Visibility:
        """Who may see it; an event that this version does not know is shown to administrators alone."""
        definition = BY_TYPE.get(self.type)
        return definition.permission if definition else Visibility.ADMINISTRATOR

    @property
    def repository(self) -> str | None:
        """The repository's full name, where the event speaks of one."""
        name: str | None = self._data.get("repository")
        return name

    @property
    def project_id(self) -> int | None:
        """The project's number, where the event knows it."""
        number: int | None = self._data.get("project_id")
        return number

    @cached_property
    def time(self) -> datetime | None:
        """When it happened; None where the event does not say it readably."""
        try:
            return datetime.fromisoformat(self.body["time"])
        except (KeyError, TypeError, ValueError):
            return None

    @property
    def changes_rights(self) -> bool:
        """Whether somebody may see more or less after it."""
        return self.type.removeprefix("breakwater.").partition(".")[0] in _RIGHTS_CHANGE

    @property
    def ends_project(self) -> bool:
        """Whether its project is gone after it."""
        return self.type == "breakwater.project.deleted.v1"

    @cached_property
    def whole(self) -> bytes:
        """The frame for whoever may read the log."""
        return self._frame(self.body)

    @cached_property
    def stripped(self) -> bytes:
        """The frame without address and user agent of whoever did it."""
        data = {name: value for name, value in self._data.items() if name != "client"}
        return self._frame({**self.body, "data": data})

    @property
    def _data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.body.get("data", {})
        return data

    def _frame(self, body: Mapping[str, Any]) -> bytes:
        data = json.dumps({**body, "sequence": str(self.sequence)}, ensure_ascii=False, separators=(",", ":"))
        return f"id: {self.sequence}\nevent: {self.type}\ndata: {data}\n\n".encode()


async def read_next(connection: Connection, after: int) -> list[LoggedEvent]:
    """The events that follow a sequence, up to a page."""
    return [_event(row) for row in await _rows(connection, _NEXT, (after, PAGE))]


async def read_replay(connection: Connection, wanted: Filter, *, after: int, upto: int) -> list[LoggedEvent]:
    """The events between two sequences that the filter takes, up to a page. Fewer than a page: that was all."""
    arguments = {
        "after": after,
        "upto": upto,
        "most": PAGE,
        "types": sorted(wanted.types) or None,
        "projects": sorted(wanted.named_projects) or None,
    }
    return [_event(row) for row in await _rows(connection, _REPLAY, arguments)]


async def newest(connection: Connection) -> int:
    """The last sequence that was given out."""
    rows = await _rows(connection, _NEWEST, ())
    return int(rows[0][0])


async def oldest(connection: Connection) -> int | None:
    """The sequence of the first event that the log still keeps; None where it keeps none."""
    rows = await _rows(connection, _OLDEST, ())
    return int(rows[0][0]) if rows else None


async def beginning(connection: Connection) -> datetime:
    """Since when the log keeps all that was numbered."""
    moment: datetime = (await _rows(connection, _BEGINNING, ()))[0][0]
    return moment


async def first_since(connection: Connection, moment: datetime) -> int | None:
    """The first event that was numbered at a time or later; None where there is none yet."""
    rows = await _rows(connection, _FIRST_SINCE, (moment,))
    return rows[0][0] if rows else None


async def _rows(connection: Connection, query: str, arguments: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - psycopg's
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(query.encode(), arguments)
        return await cursor.fetchall()


def _event(row: tuple[Any, ...]) -> LoggedEvent:
    sequence, type_, project, body = row
    return LoggedEvent(sequence=sequence, type=type_, project=project, body=body)
