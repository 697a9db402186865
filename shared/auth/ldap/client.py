"""What is asked of the servers of a directory: the half that needs ldap3, read when a directory is first asked."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import TypeVar

from ldap3.core.exceptions import LDAPException
from ldap3.utils.dn import escape_rdn

from shared.auth.authenticate import Reason
from shared.auth.ldap import search
from shared.auth.ldap.connection import Connection, binds, searching
from shared.auth.ldap.entries import Entry, Group, Proven
from shared.auth.ldap.servers import Servers
from shared.auth.ldap.settings import LdapSettings
from shared.outbound import Guard
from shared.secrets import Secret

_Answer = TypeVar("_Answer")
_Tries = Callable[[str, str], bool]
"""Whether a distinguished name and a password open the server that is asked. Raises LDAPException, OSError."""


class Client:
    """Asks servers; what is known of them holds for one state of the configuration. All calls raise Unavailable."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._servers: Servers | None = None
        self._lock = Lock()

    def find_user(self, settings: LdapSettings, name: str) -> Entry | None:
        """The user of this name."""
        return self._ask(settings, search.find_user, name)

    def find_users(self, settings: LdapSettings, name: str) -> list[Entry]:
        """The users of this name, or as many as one search shows."""
        return self._ask(settings, search.find_users, name)

    def find_group(self, settings: LdapSettings, dn: str) -> Group | None:
        """The group of this distinguished name."""
        return self._ask(settings, search.find_group, dn)

    def find_groups(self, settings: LdapSettings, name: str) -> list[Group]:
        """The groups of this name, or as many as one search shows."""
        return self._ask(settings, search.find_groups, name)

    def judge(self, settings: LdapSettings, name: str, password: Secret, *, with_groups: bool) -> Proven | Reason:
        """Look a user up and try his password there."""

        def question(connection: Connection, url: str) -> Proven | Reason:
            tries = partial(binds, self._guard, settings, url)
            return _judge(connection, settings, tries, name, password, with_groups=with_groups)

        return self._servers_of(settings).ask(question)

    def try_out(self, settings: LdapSettings) -> str | None:
        """What is wrong at the first server where something is; None where each lets the search account in."""
        for url in settings.urls:
            try:
                with searching(self._guard, settings, url) as connection:
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

    def _ask(
        self, settings: LdapSettings, look: Callable[[Connection, LdapSettings, str], _Answer], name: str
    ) -> _Answer:
        return self._servers_of(settings).ask(lambda connection, _url: look(connection, settings, name))

    def _servers_of(self, settings: LdapSettings) -> Servers:
        with self._lock:
            before = self._servers
            if before is not None and before.settings == settings:
                return before
            servers = self._servers = Servers(self._guard, settings)
        if before is not None:
            before.close()
        return servers


def _judge(
    connection: Connection, settings: LdapSettings, tries: _Tries, name: str, password: Secret, *, with_groups: bool
) -> Proven | Reason:
    """The same on one server. Raises LDAPException, OSError."""
    entry = search.find_user(connection, settings, name)
    if entry is None:
        # somebody unknown costs a refused bind, as a wrong password does
        tries(f"{settings.uid}={escape_rdn(name)},{settings.base_dn}", password.reveal())
        return Reason.UNKNOWN
    if not tries(entry.dn, password.reveal()):
        return Reason.WRONG_PASSWORD
    return Proven(entry=entry, groups=tuple(search.groups_of(connection, settings, entry)) if with_groups else ())
