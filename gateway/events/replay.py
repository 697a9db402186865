"""Reading back from the log for single clients, over a small pool of connections of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg_pool import AsyncConnectionPool

from gateway.events import log
from gateway.events.asking import Filter
from gateway.events.errors import LogTrimmed
from gateway.events.log import Connection, LoggedEvent
from gateway.events.rights import Rights
from shared.errors import BadRequest
from shared.events.envelope import rfc3339
from shared.postgres import unavailable_when_down
from shared.settings import Settings

POOL_SIZE: Final = 4
WAIT_SECONDS: Final = 5.0
MOST_WAITING: Final = 500
STATEMENT_TIMEOUT_MS: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Page:
    """Events of the log in order; `more` where a further page may follow."""

    events: list[LoggedEvent]
    more: bool


class Replay:
    """Pages of the log. Belongs to one event loop."""

    def __init__(self, settings: Settings, rights: Rights) -> None:
        self._rights = rights
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            kwargs=connection_arguments(settings),
            min_size=0,
            max_size=POOL_SIZE,
            max_waiting=MOST_WAITING,
            timeout=WAIT_SECONDS,
            max_idle=60,
            reconnect_timeout=WAIT_SECONDS,
            check=AsyncConnectionPool.check_connection,
            open=False,
        )

    async def open(self) -> None:
        """Make connections possible; none is made yet."""
        await self._pool.open()

    async def close(self) -> None:
        """Give all connections back."""
        await self._pool.close(timeout=1)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for a moment. Raises Unavailable, QueryGivenUp."""
        with unavailable_when_down():
            async with self._pool.connection() as connection:
                yield connection

    async def page(self, wanted: Filter, *, after: int, upto: int) -> Page:
        """What the filter takes between two sequences, its projects known to the rights.

        Raises Unavailable, and LogTrimmed where a day that was still to be read is no longer kept.
        """
        async with self.connection() as connection:
            events = await log.read_replay(connection, wanted, after=after, upto=upto)
            # asked after the page was read: what is kept now was kept then
            _refuse_trimmed(after, await log.oldest(connection), upto)
            await self._rights.load(connection, (event.project for event in events))
        return Page(events=events, more=len(events) == log.PAGE)

    async def place(self, since: int | datetime | None, last: int) -> int:
        """The sequence behind which a client begins, when `last` is the last one that was handed on.

        Raises LogTrimmed where the log no longer keeps what follows, BadRequest for a sequence that is not reached yet.
        """
        if since is None:
            return last
        async with self.connection() as connection:
            oldest = await log.oldest(connection)
            newest = max(await log.newest(connection), last)
            if isinstance(since, datetime):
                begins = await log.beginning(connection)
                if since < begins and (oldest or newest + 1) > 1:
                    raise LogTrimmed(f"the log keeps events from {rfc3339(begins)} on")
                first = await log.first_since(connection, since)
                return last if first is None else min(first - 1, last)
        if since > newest:
            raise BadRequest(f"no event has the sequence {since} yet: the last one is {newest}")
        _refuse_trimmed(since, oldest, newest)
        return min(since, last)


def _refuse_trimmed(after: int, oldest: int | None, newest: int) -> None:
    """Numbers have no gaps, so what follows a sequence is there where the oldest that is kept is not beyond it."""
    kept = oldest or newest + 1
    if after + 1 < kept:
        raise LogTrimmed(f"the log keeps events from sequence {kept} on: ask with since={kept - 1} or later")


def connection_arguments(settings: Settings) -> dict[str, str | int | bool]:
    """How the stream's process connects: in autocommit mode, with short time-outs."""
    options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
    return {**settings.conninfo(), "autocommit": True, "options": options}
