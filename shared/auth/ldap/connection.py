"""One connection to one server of a directory: bound, bounded in time, encrypted as it is configured.

It goes where a guard lets it go and nowhere else. Referrals are not followed, and an empty password is never sent: it
would be an anonymous bind that succeeds.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from threading import Event, Timer
from typing import Any, Final

import ldap3
from ldap3.core.exceptions import LDAPException

from shared.auth.ldap.settings import LdapSettings
from shared.outbound import Guard, OutboundRefused

BROKEN: Final = frozenset({1, 2, 51, 52, 80})
"""Result codes that tell of the server's state, not of the request: operations and protocol error, busy, away."""

Connection = Any
"""An ldap3.Connection; the library brings no types."""


class _Tls(ldap3.Tls):
    """TLS by a context of Python's own, which checks the server's name while it shakes hands."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=context.verify_mode)
        self._context = context
        self.refusal = ""
        """Why it was not agreed on, in words: those of the library are a tuple within a tuple."""

    def wrap_socket(self, connection: Connection, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - the library's
        """Encrypt a connection. Raises OSError where the server cannot be trusted."""
        connection.socket = self._context.wrap_socket(
            connection.socket, server_hostname=connection.server.host, do_handshake_on_connect=False
        )
        try:
            with _in_time(connection):
                connection.socket.do_handshake()
        except ssl.SSLCertVerificationError as error:
            self.refusal = f"its certificate is not trusted: {error.verify_message}"
            raise
        except ssl.SSLError as error:
            self.refusal = f"it does not speak TLS as it should: {error.reason or 'it hung up'}"
            raise


class _Connection(ldap3.Connection):
    """A connection whose every operation ends in time.

    The library's time-out is that of the socket: a server that sends a little now and then would never run into it.
    """

    def bind(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - the library's, here and below
        with _in_time(self):
            return super().bind(*given, **named)

    def extended(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        with _in_time(self):
            return super().extended(*given, **named)

    def search(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        with _in_time(self):
            return super().search(*given, **named)


class _Server(ldap3.Server):
    """A server whose addresses come from a guard: the library connects to those, and asks for no others.

    A certificate is checked against the name all the same.
    """

    def __init__(self, guard: Guard, url: str, *, timeout: int, tls: _Tls) -> None:
        super().__init__(url, get_info=ldap3.NONE, connect_timeout=timeout, tls=tls)
        self._guard = guard

    def candidate_addresses(self) -> list[tuple[Any, ...]]:
        """Where to connect to, asked for once a connection. Raises LDAPException where no address is permitted."""
        try:
            return self._guard.addresses(self.host, self.port)
        except OutboundRefused as error:
            raise LDAPException(f"{error} unless BREAKWATER_OUTBOUND_ALLOW names its network") from error
        except ValueError as error:
            raise LDAPException(f"{self.host[:255]} is no name of a host") from error


def open_bound(guard: Guard, settings: LdapSettings, url: str, dn: str, password: str) -> Connection | None:
    """A bound connection, to be given to `close`; None where the bind was refused. Raises LDAPException, OSError."""
    if not dn or not password:
        return None
    try:
        tls = _Tls(_context(settings.ca_certificate, verify=settings.verify_cert))
    except ssl.SSLError as error:
        raise LDAPException("ldap_ca_certificate holds no certificate in PEM") from error
    server = _Server(guard, url, timeout=settings.timeout, tls=tls)
    connection = _Connection(
        server,
        user=dn,
        password=password,
        authentication=ldap3.SIMPLE,
        auto_referrals=False,
        receive_timeout=settings.timeout,
        read_only=True,
        check_names=False,
        raise_exceptions=False,
    )
    try:
        connection.open()
        if settings.start_tls and not server.ssl:
            connection.start_tls()
        if connection.bind():
            return connection
        raise_if(BROKEN, connection.result)
    except BaseException as error:
        close(connection)
        if tls.refusal and isinstance(error, LDAPException):
            raise LDAPException(tls.refusal) from error
        raise
    close(connection)
    return None


def binds(guard: Guard, settings: LdapSettings, url: str, dn: str, password: str) -> bool:
    """Whether a name and a password open the directory; without either they do not. Raises LDAPException, OSError."""
    if not dn or not password:
        return False
    connection = open_bound(guard, settings, url, dn, password)
    if connection is None:
        return False
    close(connection)
    return True


def open_for_search(guard: Guard, settings: LdapSettings, url: str) -> Connection:
    """A connection of the search account, without which nobody is searched for. Raises LDAPException, OSError."""
    if not settings.search_dn:
        raise LDAPException("ldap_search_dn and ldap_search_password are needed: no bind is anonymous")
    connection = open_bound(guard, settings, url, settings.search_dn, settings.search_password.reveal())
    if connection is None:
        raise LDAPException("the search account cannot bind")
    return connection


@contextmanager
def searching(guard: Guard, settings: LdapSettings, url: str) -> Iterator[Connection]:
    """The same for a moment."""
    connection = open_for_search(guard, settings, url)
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


def raise_if(codes: frozenset[int], result: Mapping[str, Any], *, about: str = "") -> None:
    """Raises LDAPException where an operation about an entry ended with one of these codes."""
    if result["result"] in codes:
        raise LDAPException(": ".join(filter(None, (result["description"], about, result["message"]))))


@contextmanager
def _in_time(connection: Connection) -> Iterator[None]:
    """Hang up on a server that takes longer than its time. Raises LDAPException then."""
    line, late = connection.socket, Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):
            # not the encrypted socket's own way, which would go on in plain text
            socket.socket.shutdown(line, socket.SHUT_RDWR)

    timer = Timer(connection.receive_timeout, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (LDAPException, OSError) as error:
        # the socket has the same time: whichever of the two is first
        if late.is_set() or isinstance(error, TimeoutError):
            raise LDAPException(f"no whole answer within {connection.receive_timeout} s") from error
        raise
    finally:
        timer.cancel()


@lru_cache(maxsize=8)
def _context(ca_certificate: str, *, verify: bool) -> ssl.SSLContext:
    """Made once for many connections: to read the machine's authorities takes milliseconds."""
    context = ssl.create_default_context(cadata=ca_certificate or None)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
