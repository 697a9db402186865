"""One client's stream: first what the log holds since the asked place, then what the hub hands on, until it ends.

The hub hands events on from the moment the stream joins, so between replay and live there is neither gap nor double.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.events.asking import Filter
from gateway.events.errors import LogTrimmed
from gateway.events.log import LoggedEvent
from gateway.events.replay import Replay
from gateway.events.rights import Rights
from shared.auth.principals import Principal
from shared.errors import Unavailable
from shared.events.event import Visibility

HEARTBEAT_SECONDS: Final = 8.0
MOST_WAITING: Final = 1_000
"""Events that may wait for a client before it counts as too slow; they are shared by all clients."""
MOST_AT_ONCE: Final = 100
GOODBYE_SECONDS: Final = 5.0

RETRY_SECONDS: Final = 1.0

GREETING: Final = b": breakwater event stream\nretry: 2000\n\n"


class End(StrEnum):
    """Why a stream was ended."""

    ACCOUNT = "account"
    """The account was deleted or disabled, or its credential changed."""
    RIGHTS = "rights"
    """The account lost a right that the stream stands on."""
    PROJECT = "project"
    """The only projects asked for are gone."""
    SLOW = "slow"
    """The client does not read as fast as events come."""
    TRIMMED = "trimmed"
    """The log dropped a day before the client had read it."""
    SESSION = "session"
    """The portal's session that the stream was opened with is over."""
    TIME = "time"
    """An account of a directory has to be judged anew; connect again."""
    SHUTDOWN = "shutdown"
    """The server stops; connect again."""


_MAY_HAVE_THE_REST: Final = frozenset({End.PROJECT, End.TIME, End.SHUTDOWN})


@dataclass(frozen=True, kw_only=True)
class Ending:
    """The end of a stream, as the client is told."""

    reason: End
    sentence: str

    def frame(self) -> bytes:
        """The last frame: an event of the type `end`."""
        data = json.dumps({"type": "end", "reason": self.reason.value, "message": self.sentence}, ensure_ascii=False)
        return f"event: end\ndata: {data}\n\n".encode()


class Stream:
    """An asynchronous iterator of frames. The hub writes to it; the client's task reads it."""

    def __init__(
        self,
        *,
        principal: Principal,
        wanted: Filter,
        watched: dict[str, frozenset[Visibility]],
        position: int,
        upto: int,
        rights: Rights,
        replay: Replay,
        session: bytes | None = None,
    ) -> None:
        self.principal = principal
        self.session = session
        """The fingerprint of the session that it lasts no longer than, where it was opened with one."""
        self.watched = watched
        """What could be seen of each project that was asked for or shown: the stream ends when it becomes less."""
        self.ending: Ending | None = None
        self.started = False
        self.closed = False
        self._wanted = wanted
        self._position = position
        self._upto = upto
        self._rights = rights
        self._replay = replay
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._seen = upto
        self._bell = asyncio.Event()
        self._task: asyncio.Task[object] | None = None
        self._said_goodbye = False
        self._spoke = 0.0

    @property
    def replaying(self) -> bool:
        """Whether there is more to read from the log."""
        return self._position < self._upto

    def asked_for(self, project: str) -> bool:
        """Whether the client named this project."""
        return project in self._wanted.named_projects

    def hand(self, event: LoggedEvent) -> None:
        """Take an event from the hub."""
        if self.ending:
            return
        self._seen = event.sequence
        frame = self._frame(event)
        if frame is None:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((event.sequence, frame))
            self._bell.set()
        elif self.replaying:  # the log holds what does not fit here: replay up to this event, too
            self._waiting.clear()
            self._upto = event.sequence
        else:
            self.end(End.SLOW, "the client reads too slowly: connect again with Last-Event-ID")

    def end(self, reason: End, sentence: str) -> None:
        """End the stream: where a right was lost, nothing but the last frame is sent any more."""
        if self.ending:
            return
        self.ending = Ending(reason=reason, sentence=sentence)
        if self.replaying or reason not in _MAY_HAVE_THE_REST:
            self._waiting.clear()
        self._upto = self._position
        self._bell.set()
        # a client that does not even read the last frame holds its task up
        asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._cut)

    async def close(self) -> None:
        """The client has the last frame, or is gone. Called by the server."""
        self.closed = True

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """The next frames, joined; a heartbeat where there is none in time."""
        if self._said_goodbye:
            raise StopAsyncIteration
        frames = await self._next() if self.started else self._greeting()
        self._spoke = asyncio.get_running_loop().time()
        return frames

    def _greeting(self) -> bytes:
        self.started = True
        self._task = asyncio.current_task()
        return GREETING

    async def _next(self) -> bytes:
        while self._waiting or not self.ending:
            if self.replaying:
                frames = await self._replayed()
            elif self._waiting:
                frames = self._taken()
            else:
                frames = await self._live()
            if frames:
                return frames
        self._said_goodbye = True
        return self.ending.frame()

    async def _live(self) -> bytes:
        """Wait for the hub: nothing once it has rung, a heartbeat where it has not in time."""
        self._position = self._upto = self._seen
        self._bell.clear()
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._bell.wait()
        except TimeoutError:
            self._position = self._upto = self._seen
            return self._heartbeat()
        return b""

    async def _replayed(self) -> bytes:
        """A page of the log, nothing where none of it is for this client."""
        upto = self._upto
        try:
            page = await self._replay.page(self._wanted, after=self._position, upto=upto)
        except Unavailable:
            await asyncio.sleep(RETRY_SECONDS)
            return self._heartbeat()
        except LogTrimmed as error:
            self.end(End.TRIMMED, error.sentence)
            return b""
        if self.ending or self._rights.unknown(event.project for event in page.events):
            return b""  # the rights were read anew meanwhile: ask for the page again
        self._position = page.events[-1].sequence if page.more else upto
        frames = b"".join(frame for event in page.events if (frame := self._frame(event)) is not None)
        silent = asyncio.get_running_loop().time() - self._spoke
        return frames or (self._heartbeat() if silent > HEARTBEAT_SECONDS else b"")

    def _heartbeat(self) -> bytes:
        """No event, but clients keep the id: to resume behind what was not for them costs nothing."""
        return f":\nid: {self._position}\n\n".encode()

    def _frame(self, event: LoggedEvent) -> bytes | None:
        """The form in which the client gets an event; None where it did not ask for it, or may not see it."""
        if not self._wanted.takes(event.type, event.project, event.repository):
            return None
        frame = self._rights.shows(self.principal, event)
        if frame is not None and event.project is not None and event.project not in self.watched:
            self.watched[event.project] = self._rights.visible(self.principal, event.project)
        return frame

    def _taken(self) -> bytes:
        frames: list[bytes] = []
        while self._waiting and len(frames) < MOST_AT_ONCE:
            self._position, frame = self._waiting.popleft()
            frames.append(frame)
        self._upto = self._position
        return b"".join(frames)

    def _cut(self) -> None:
        if self._task and not self.closed and not self._task.done():
            self._task.cancel()
