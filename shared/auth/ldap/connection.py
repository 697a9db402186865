"""One connection to one server of a directory: bound, bounded in time, encrypted as it is configured.

Referrals are not followed, and an empty password is never sent: it would be an anonymous bind that succeeds.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

import ldap3
from ldap3.core.exceptions import LDAPException

from shared.auth.ldap.settings import LdapSettings

BROKEN: Final = frozenset({1, 2, 51, 52, 80})
"""Result codes that tell of the server's state, not of the request: operations and protocol error, busy, away."""

Connection = Any
"""An ldap3.Connection; the library brings no types."""


class _Tls(ldap3.Tls):
    """TLS by a context of Python's own, which checks the server's name while it shakes hands."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=context.verify_mode)
        self._context = context

    def wrap_socket(self, connection: Connection, do_handshake: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
        """Encrypt a connection. Raises OSError where the server cannot be trusted."""
        connection.socket = self._context.wrap_socket(
            connection.socket, server_hostname=connection.server.host, do_handshake_on_connect=do_handshake
        )


def open_bound(settings: LdapSettings, url: str, dn: str, password: str) -> Connection | None:
    """A bound connection, to be given to `close`; None where the bind was refused. Raises LDAPException, OSError."""
    if dn and not password:
        return None
    try:
        tls = _Tls(_context(settings.ca_certificate, verify=settings.verify_cert))
    except ssl.SSLError as error:
        raise LDAPException("ldap_ca_certificate holds no certificate in PEM") from error
    server = ldap3.Server(url, get_info=ldap3.NONE, connect_timeout=settings.timeout, tls=tls)
    connection = ldap3.Connection(
        server,
        user=dn or None,
        password=password or None,
        authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
        auto_referrals=False,
        receive_timeout=settings.timeout,
        read_only=True,
        check_names=False,
        raise_exceptions=False,
    )
    try:
        if settings.start_tls and not server.ssl:
            connection.open()
            connection.start_tls()
        if connection.bind():
            return connection
        raise_if(BROKEN, connection.result)
    except BaseException:
        close(connection)
        raise
    close(connection)
    return None


def binds(settings: LdapSettings, url: str, dn: str, password: str) -> bool:
    """Whether a name and a password open the directory; without either they do not. Raises LDAPException, OSError."""
    if not dn or not password:
        return False
    connection = open_bound(settings, url, dn, password)
    if connection is None:
        return False
    close(connection)
    return True


def open_for_search(settings: LdapSettings, url: str) -> Connection:
    """A connection of the search account. Raises LDAPException, OSError."""
    connection = open_bound(settings, url, settings.search_dn, settings.search_password.reveal())
    if connection is None:
        raise LDAPException("the search account cannot bind")
    return connection


@contextmanager
def searching(settings: LdapSettings, url: str) -> Iterator[Connection]:
    """The same for a moment."""
    connection = open_for_search(settings, url)
    try:
        yield connection
    finally:
        close(connection)


def close(connection: Connection) -> None:
    """Hang up, whatever state the connection is in; of one that was never open the library leaves the socket."""
    left = connection.socket
    try:
        connection.unbind()
    except (LDAPException, OSError):
        pass  # it is gone already
    finally:
        if left is not None:
            left.close()


def raise_if(codes: frozenset[int], result: Mapping[str, Any]) -> None:
    """Raises LDAPException where an operation ended with one of these codes."""
    if result["result"] in codes:
        raise LDAPException(f"{result['description']}: {result['message']}")


@lru_cache(maxsize=8)
def _context(ca_certificate: str, *, verify: bool) -> ssl.SSLContext:
    """Made once for many connections: to read the machine's authorities takes milliseconds."""
    context = ssl.create_default_context(cadata=ca_certificate or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
