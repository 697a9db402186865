"""The directory that is configured at this moment, asked by a bounded number of callers at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import Final, TypeVar

from ldap3.core.exceptions import LDAPException

from shared import directory
from shared.auth.accounts import robot_prefix
from shared.auth.ldap import search
from shared.auth.ldap.connection import searching
from shared.auth.ldap.search import Entry, Group
from shared.auth.ldap.servers import Question, Servers
from shared.auth.ldap.settings import KEYS, LdapSettings
from shared.directory import Lender
from shared.errors import BadRequest, Unavailable
from shared.outbound import Guard
from shared.secrets import Sealer

_WAIT_SECONDS: Final = 0.25

_Answer = TypeVar("_Answer")


class NoDirectory(BadRequest):
    """Nobody has configured a directory."""

    default = "no directory is configured: set ldap_url, ldap_base_dn and auth_mode"


@dataclass(frozen=True, kw_only=True, slots=True)
class Present:
    """What is configured at this moment."""

    settings: LdapSettings | None
    is_open: bool
    """Whether users log in there; False where the directory is only tried out."""
    robot_prefix: str
    has_groups: bool
    """Whether there is a group that somebody could be in to any effect."""


class LdapDirectory:
    """Asks for users and groups; `seats` callers at most wait for a directory at a time, the others hear so at once.

    `guard` says to which addresses connections go.
    """

    def __init__(self, lend: Lender, sealer: Sealer, guard: Guard, *, seats: int) -> None:
        self.guard = guard
        self._lend = lend
        self._sealer = sealer
        self._seats = BoundedSemaphore(seats)
        self._servers: Servers | None = None
        self._lock = Lock()

    def present(self) -> Present:
        """Read the configuration. Raises ConfigurationError, Unavailable."""
        with self._lend() as connection:
            values = directory.configuration(connection, KEYS)
            prefix, groups = robot_prefix(connection), directory.has_user_groups(connection)
        settings = LdapSettings.parse_any_mode(values, self._sealer)
        return Present(
            settings=settings,
            is_open=LdapSettings.parse(values, self._sealer) is not None,
            robot_prefix=prefix,
            has_groups=groups or (settings is not None and bool(settings.group_admin_dn)),
        )

    def ask(self, settings: LdapSettings, question: Question[_Answer]) -> _Answer:
        """The answer of the first server that gives one. Raises Unavailable."""
        with self._seat():
            return self._servers_of(settings).ask(question)

    def find_user(self, name: str) -> Entry | None:
        """The user of this name. Raises NoDirectory, Unavailable."""
        return self._find(lambda connection, settings: search.find_user(connection, settings, name))

    def find_users(self, name: str = "") -> list[Entry]:
        """The users of this name, or as many as one search shows. Raises NoDirectory, Unavailable."""
        return self._find(lambda connection, settings: search.find_users(connection, settings, name))

    def find_group(self, dn: str) -> Group | None:
        """The group of this distinguished name. Raises NoDirectory, Unavailable."""
        return self._find(lambda connection, settings: search.find_group(connection, settings, dn))

    def find_groups(self, name: str = "") -> list[Group]:
        """The groups of this name, or as many as one search shows. Raises NoDirectory, Unavailable."""
        return self._find(lambda connection, settings: search.find_groups(connection, settings, name))

    def try_out(self, settings: LdapSettings) -> str | None:
        """What is wrong with settings that may not be in force yet: at the first server where something is.

        None where every server lets the search account in and has the base.
        """
        with self._seat():
            for url in settings.urls:
                try:
                    with searching(self.guard, settings, url) as connection:
                        search.find_user(connection, settings, "nobody")
                except (LDAPException, OSError) as error:
                    return f"{url}: {error}"
        return None

    def close(self) -> None:
        """Hang up what waits for its next use."""
        with self._lock:
            servers, self._servers = self._servers, None
        if servers is not None:
            servers.close()

    def _find(self, look: Callable[[object, LdapSettings], _Answer]) -> _Answer:
        settings = self.present().settings
        if settings is None:
            raise NoDirectory
        return self.ask(settings, lambda connection, _url: look(connection, settings))

    def _servers_of(self, settings: LdapSettings) -> Servers:
        """What is known of the servers holds for one state of the configuration."""
        with self._lock:
            before = self._servers
            if before is not None and before.settings == settings:
                return before
            servers = self._servers = Servers(self.guard, settings)
        if before is not None:
            before.close()
        return servers

    @contextmanager
    def _seat(self) -> Iterator[None]:
        if not self._seats.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("the directory is busy right now: try again in a moment")
        try:
            yield
        finally:
            self._seats.release()
