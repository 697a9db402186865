"""The servers of one directory: the first that answers is asked, and the connections to it are kept.

A server that fails is left alone for a while, longer each time, so that nobody waits for it again and again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final, TypeVar

from ldap3.core.exceptions import LDAPException

from shared import logging
from shared.auth.ldap.connection import Connection, close, open_for_search
from shared.auth.ldap.settings import LdapSettings
from shared.errors import Unavailable
from shared.outbound import Guard

FIRST_REST_SECONDS: Final = 3.0
LONGEST_REST_SECONDS: Final = 60.0
IDLE_SECONDS: Final = 60.0
"""A connection that nobody has used for so long is not used again: firewalls forget it without a word."""

_Answer = TypeVar("_Answer")
Question = Callable[[Connection, str], _Answer]
"""What is asked on a connection of the search account to the server with this URL."""


@dataclass
class _Server:
    """One server: since when it fails, and the connections to it that wait for a use."""

    url: str
    failures: int = 0
    rests_until: float = 0.0


class Servers:
    """The servers that one state of the configuration names; safe to share between threads.

    It keeps no more connections than there ever are callers at a time.
    """

    def __init__(self, guard: Guard, settings: LdapSettings) -> None:
        self.settings = settings
        self._guard = guard
        self._servers = [_Server(url) for url in settings.urls]
        self._idle: list[tuple[str, Connection, float]] = []
        self._lock = Lock()

    def ask(self, question: Question[_Answer]) -> _Answer:
        """The answer of the first server that gives one. Raises Unavailable where none does."""
        failure: Exception | None = None
        for server in self._servers:
            if not self._may_try(server):
                continue
            try:
                answer = self._ask_one(server.url, question)
            except (LDAPException, OSError) as error:
                self._failed(server)
                logging.get().error("ldap.server_failed", url=server.url, reason=str(error))
                failure = error
            else:
                server.failures, server.rests_until = 0, 0.0
                return answer
        raise Unavailable("the directory does not answer right now: try again in a moment") from failure

    def close(self) -> None:
        """Hang up all connections that nobody uses at the moment."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection, _ in idle:
            close(connection)

    def _ask_one(self, url: str, question: Question[_Answer]) -> _Answer:
        """A kept connection that broke meanwhile says nothing about the server; one that timed out does."""
        begun = time.monotonic()
        kept = self._take(url)
        if kept is not None:
            try:
                return self._use(url, kept, question)
            except (LDAPException, OSError):
                if time.monotonic() - begun > self.settings.timeout / 2:
                    raise
        return self._use(url, open_for_search(self._guard, self.settings, url), question)

    def _use(self, url: str, connection: Connection, question: Question[_Answer]) -> _Answer:
        try:
            answer = question(connection, url)
        except BaseException:
            close(connection)
            raise
        with self._lock:
            self._idle.append((url, connection, time.monotonic()))
        return answer

    def _take(self, url: str) -> Connection | None:
        """A connection that waits for a use; those that waited too long are hung up."""
        oldest = time.monotonic() - IDLE_SECONDS
        with self._lock:
            stale = [connection for _, connection, since in self._idle if since < oldest]
            self._idle = [each for each in self._idle if each[2] >= oldest]
            position = next((place for place, each in enumerate(self._idle) if each[0] == url), None)
            taken = None if position is None else self._idle.pop(position)[1]
        for connection in stale:
            close(connection)
        return taken

    def _may_try(self, server: _Server) -> bool:
        """Whether it is this caller's turn to ask a server; of one that failed, one caller at a time finds out."""
        now = time.monotonic()
        with self._lock:
            if now < server.rests_until:
                return False
            if server.failures:
                server.rests_until = now + _rest(server.failures)
            return True

    def _failed(self, server: _Server) -> None:
        with self._lock:
            server.failures += 1
            server.rests_until = time.monotonic() + _rest(server.failures)


def _rest(failures: int) -> float:
    return min(FIRST_REST_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_REST_SECONDS)
