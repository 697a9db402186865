"""The directory that is configured at this moment, asked by a bounded number of callers at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Final, TypeVar

from shared import directory
from shared.auth.accounts import robot_prefix
from shared.auth.authenticate import Reason
from shared.auth.ldap.entries import Entry, Group, Proven
from shared.auth.ldap.settings import KEYS, LdapSettings
from shared.directory import Lender
from shared.errors import BadRequest, Unavailable
from shared.outbound import Guard
from shared.secrets import Sealer, Secret

if TYPE_CHECKING:
    from shared.auth.ldap.client import Client

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
        self._client: Client | None = None
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

    def judge(self, settings: LdapSettings, name: str, password: Secret, *, with_groups: bool) -> Proven | Reason:
        """Look a user up and try his password there; his groups are left out unless asked for. Raises Unavailable."""
        with self._seat() as client:
            return client.judge(settings, name, password, with_groups=with_groups)

    def find_user(self, name: str) -> Entry | None:
        """The user of this name. Raises NoDirectory, Unavailable."""
        return self._find(lambda client, settings: client.find_user(settings, name))

    def find_users(self, name: str = "") -> list[Entry]:
        """The users of this name, or as many as one search shows. Raises NoDirectory, Unavailable."""
        return self._find(lambda client, settings: client.find_users(settings, name))

    def find_group(self, dn: str) -> Group | None:
        """The group of this distinguished name. Raises NoDirectory, Unavailable."""
        return self._find(lambda client, settings: client.find_group(settings, dn))

    def find_groups(self, name: str = "") -> list[Group]:
        """The groups of this name, or as many as one search shows. Raises NoDirectory, Unavailable."""
        return self._find(lambda client, settings: client.find_groups(settings, name))

    def try_out(self, settings: LdapSettings) -> str | None:
        """What is wrong with settings that may not be in force yet: at the first server where something is.

        None where every server lets the search account in and has the base.
        """
        with self._seat() as client:
            return client.try_out(settings)

    def close(self) -> None:
        """Hang up what waits for its next use."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _find(self, look: "Callable[[Client, LdapSettings], _Answer]") -> _Answer:
        settings = self.present().settings
        if settings is None:
            raise NoDirectory
        with self._seat() as client:
            return look(client, settings)

    @contextmanager
    def _seat(self) -> "Iterator[Client]":
        if not self._seats.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("the directory is busy right now: try again in a moment")
        try:
            yield self._asking()
        finally:
            self._seats.release()

    def _asking(self) -> "Client":
        from shared.auth.ldap.client import Client  # noqa: PLC0415 - 4 MB in each process, and most have no directory

        with self._lock:
            if self._client is None:
                self._client = Client(self.guard)
            return self._client
