"""The hub: one task reads the log once, for all clients, and hands each event to those who want and may see it.

Rights are read anew every few seconds and before any event that changes them is handed on; a stream whose rights have
shrunk is ended. A database that is away, or gives up a query, makes the hub wait, not the clients go.
"""

import asyncio
import random
from collections import Counter
from datetime import timedelta
from math import inf
from time import monotonic
from typing import Final

import psycopg

from gateway.events import log
from gateway.events.asking import Wish
from gateway.events.errors import StreamsExhausted, TooManyStreams
from gateway.events.log import Connection, LoggedEvent
from gateway.events.replay import Replay, connection_arguments
from gateway.events.rights import AccountKey, Rights, account_key, good_sessions, projects_of
from gateway.events.stream import End, Stream
from shared import logging
from shared.auth.principals import Principal
from shared.errors import Forbidden, Unavailable
from shared.events.event import Visibility
from shared.postgres import is_given_up
from shared.settings import Settings

CHANNEL: Final = "breakwater_log"
POLL_SECONDS: Final = 1.0
SILENT_SECONDS: Final = 5.0
"""It reads each second, whether or not anything happens."""
REFRESH_SECONDS: Final = 3.0
MOST_STREAMS: Final = 2_000
MOST_STREAMS_OF_ACCOUNT: Final = 200
UNSTARTED_SECONDS: Final = 30.0
_NOT_NOW: Final = (psycopg.OperationalError, psycopg.InterfaceError)
_LONGEST_PAUSE: Final = 2.0


class Hub:
    """Belongs to one event loop; `run` is its one task."""

    def __init__(self, settings: Settings, *, most_streams: int = MOST_STREAMS) -> None:
        self.rights = Rights()
        self.replay = Replay(settings, self.rights)
        self._settings = settings
        self._most_streams = most_streams
        self._streams: dict[Stream, float] = {}
        self._until: dict[Stream, float] = {}
        self._of_account: Counter[AccountKey] = Counter()
        self._last: int | None = None
        self._refreshed = 0.0
        self._read_at = -inf
        self._log = logging.get()

    @property
    def is_reading(self) -> bool:
        """Whether the log was read lately."""
        return monotonic() - self._read_at < SILENT_SECONDS

    def refuse_more(self, principal: Principal | None = None) -> None:
        """Raises StreamsExhausted, or TooManyStreams for one account, where no further stream fits."""
        self._forget_closed()
        if len(self._streams) >= self._most_streams:
            raise StreamsExhausted
        if principal and self._of_account[account_key(principal)] >= MOST_STREAMS_OF_ACCOUNT:
            raise TooManyStreams

    async def open(
        self, principal: Principal, wish: Wish, *, lasts: timedelta | None = None, session: bytes | None = None
    ) -> Stream:
        """A stream of what somebody asks for, handed to from now on, for as long as `lasts` and `session` if given.

        Raises Forbidden for projects of which nothing may be seen, Unavailable, and what Replay.place raises.
        """
        if self._last is None:
            raise Unavailable
        position = await self.replay.place(wish.since, self._last)
        watched = await self._watched(principal, wish)
        if not principal.is_admin and not wish.filter.named_projects <= watched.keys():
            raise Forbidden("you may not see the events of this project")
        self.refuse_more(principal)
        # from here on nothing waits: the stream joins exactly behind `_last`
        if self._last is None:
            raise Unavailable
        stream = Stream(
            principal=principal,
            wanted=wish.filter,
            position=position,
            upto=self._last,
            rights=self.rights,
            replay=self.replay,
            watched=watched,
            session=session,
        )
        self._streams[stream] = monotonic()
        if lasts is not None:
            self._until[stream] = monotonic() + lasts.total_seconds()
        self._of_account[account_key(principal)] += 1
        return stream

    async def _watched(self, principal: Principal, wish: Wish) -> dict[str, frozenset[Visibility]]:
        """What somebody may see of the projects asked for, or else of those that are his."""
        async with self.replay.connection() as connection:
            names = wish.filter.named_projects or await projects_of(connection, principal)
            await self.rights.read(connection, names)
            return {name: visible for name in names if (visible := self.rights.visible(principal, name))}

    async def run(self) -> None:
        """Read and hand on until cancelled."""
        pause = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    **connection_arguments(self._settings)  # type: ignore[arg-type]  # psycopg types its keywords one by one
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}".encode())
                    pause = 0.1
                    await self._read_on(connection)
            except _NOT_NOW as error:
                event = "stream.query_given_up" if is_given_up(error) else "stream.database_away"
                self._log.warning(event, reason=type(error).__name__, clients=len(self._streams))
            except Exception:  # noqa: BLE001 - one event must not silence the stream for good; clients resume
                self._log.exception("stream.hub_failed", clients=len(self._streams))
                self.close()
                self._last = None
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(pause * 2, _LONGEST_PAUSE)

    def close(self) -> None:
        """End all streams, because the server stops or starts over."""
        for stream in self._streams:
            stream.end(End.SHUTDOWN, "the server stops: connect again with Last-Event-ID")

    async def _read_on(self, connection: Connection) -> None:
        newest = await log.newest(connection)
        if self._last is None or newest < self._last:  # the first time, or a database that was put back from a backup
            self._last = newest
        while True:
            events = await log.read_next(connection, self._last)
            self._read_at = monotonic()
            due = monotonic() - self._refreshed >= REFRESH_SECONDS
            if events or due:
                await self._hand_on(connection, events, due=due)
            if len(events) < log.PAGE:
                async for _ in connection.notifies(timeout=POLL_SECONDS, stop_after=1):
                    break
            else:
                await asyncio.sleep(0)  # let the clients' tasks take what there is

    async def _hand_on(self, connection: Connection, events: list[LoggedEvent], *, due: bool) -> None:
        self._forget_closed()
        refreshing = bool(self._streams) and (due or any(event.changes_rights for event in events))
        if refreshing:
            await self._refresh(connection, events)
        elif self._streams:
            await self.rights.load(connection, (event.project for event in events))
        else:
            self.rights.forget()
        for event in events:
            for stream in self._streams:
                stream.hand(event)
            if event.ends_project:
                self.rights.end_project(event.project)
            self._last = event.sequence
        if refreshing:
            self._end_shrunken()

    async def _refresh(self, connection: Connection, events: list[LoggedEvent]) -> None:
        """Read rights anew; of projects that end within the events, what they were until then is kept."""
        names = {name for stream in self._streams for name in stream.watched}
        names.update(event.project for event in events if event.project is not None)
        await self.rights.load(connection, names)
        streams = list(self._streams)  # who joins meanwhile has just been read
        await self.rights.refresh(
            connection,
            accounts={account_key(stream.principal) for stream in streams},
            names=names,
            kept={event.project for event in events if event.ends_project and event.project is not None},
        )
        good = await good_sessions(connection, {stream.session for stream in streams if stream.session is not None})
        self._refreshed = monotonic()
        for stream in streams:
            self._check_account(stream)
            if stream.session is not None and stream.session not in good:
                stream.end(End.SESSION, "the session is over: sign in again")

    def _check_account(self, stream: Stream) -> None:
        before = stream.principal
        now = self.rights.account(account_key(before))
        if now is None:
            stream.end(End.ACCOUNT, "the account may not listen any more")
        elif now.credential_version != before.credential_version:
            stream.end(End.ACCOUNT, "the account's credential was changed: sign in again")
        elif before.is_admin and not now.is_admin:
            stream.end(End.RIGHTS, "the account is no administrator any more")
        else:
            stream.principal = now

    def _end_shrunken(self) -> None:
        for stream in self._streams:
            for name, before in list(stream.watched.items()):
                now = self.rights.visible(stream.principal, name)
                if before <= now:
                    stream.watched[name] = now
                elif self.rights.exists(name):
                    stream.end(End.RIGHTS, f"the account may see less of the project {name} than before")
                elif stream.asked_for(name):
                    stream.end(End.PROJECT, f"the project {name} is gone")
                else:
                    del stream.watched[name]

    def _forget_closed(self) -> None:
        now = monotonic()
        for stream, until in self._until.items():
            if now > until:
                stream.end(End.TIME, "the directory has to be asked again: connect again with Last-Event-ID")
        for stream, opened in list(self._streams.items()):
            if stream.closed or (not stream.started and now - opened > UNSTARTED_SECONDS):
                del self._streams[stream]
                self._until.pop(stream, None)
                key = account_key(stream.principal)
                self._of_account[key] -= 1
                if not self._of_account[key]:
                    del self._of_account[key]
