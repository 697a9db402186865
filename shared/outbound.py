"""Requests to the outside: the addresses that a name stands for are judged, and a judged one is connected to.

A name is asked for once a connection, so that no second answer leads elsewhere. Nothing here follows a redirect, heeds
a proxy from the environment, or sends a request twice.
"""

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, LocationParseError, NameResolutionError, NewConnectionError
from urllib3.response import BaseHTTPResponse
from urllib3.util import parse_url

from shared.errors import BreakwaterError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolve = Callable[..., list[tuple[Any, ...]]]
"""As `socket.getaddrinfo`: an edge that may not block gives its own."""

MOST_ADDRESSES: Final = 4
"""Of one name, that are tried one after the other."""

# Nobody's business from here, whoever sets the request up: this machine, its neighbours on the link, its cloud's
# metadata, and IPv6 forms that hide an IPv4 address from a judge or lead through somebody's tunnel.
_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4",
            "100.100.100.200", "168.63.129.16", "192.0.0.192",
            "::/96", "2001::/32", "fe80::/10", "ff00::/8", "fd00:ec2::254",
        ),
    )
)  # fmt: skip
# What is not of the public internet (IANA's registries of special-purpose addresses).
_PRIVATE: Final = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
            "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
            "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7",
            "fec0::/10",
        ),
    )
)  # fmt: skip
_NAT64: Final = IPv6Network("64:ff9b::/96")


class Reach(StrEnum):
    """How far requests may go, by who sets them up."""

    PUBLIC = "public"
    """The public internet alone."""
    PRIVATE = "private"
    """Private addresses too."""


class OutboundRefused(BreakwaterError):
    """No address of the host is one that may be connected to."""

    code = "OUTBOUND_REFUSED"
    default = "requests may not go to this address"


class Guard:
    """Judges addresses. What an operator has allowed is allowed, whatever it is."""

    def __init__(
        self, reach: Reach, allowed: Iterable[Network] = (), *, resolve: Resolve = socket.getaddrinfo
    ) -> None:
        self._closed = _NEVER if reach is Reach.PRIVATE else (*_NEVER, *_PRIVATE)
        self._allowed = tuple(allowed)
        self._resolve = resolve

    def permits(self, address: Address) -> bool:
        """Whether this address may be connected to."""
        meanings = _meanings(address)
        if any(meaning in network for meaning in meanings for network in self._allowed):
            return True
        return not any(meaning in network for meaning in meanings for network in self._closed)

    def refuses(self, host: str) -> bool:
        """Whether a host is written as an address that would be refused: told early, where somebody can still see it.

        A name is judged when it is connected to, and not before.
        """
        try:
            return not self.permits(ip_address(host.strip("[]")))
        except ValueError:
            return False

    def addresses(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """The host's permitted addresses, asked for at this moment, in the form of `socket.getaddrinfo`.

        Whoever makes the connection himself connects to these and asks no second time. Raises OutboundRefused,
        OSError, UnicodeError.
        """
        found = self._resolve(host, port, 0, socket.SOCK_STREAM)
        permitted = [each for each in found if self.permits(ip_address(each[4][0]))]
        if not permitted:
            raise OutboundRefused(f"requests may not go to the address of {host[:255]}")
        return permitted[:MOST_ADDRESSES]

    def connect(self, host: str, port: int, *, timeout: float) -> socket.socket:
        """A connection to one of the host's permitted addresses. Raises OutboundRefused, OSError, UnicodeError."""
        failed: OSError = OSError("it has no address")
        for family, kind, protocol, _name, address in self.addresses(host, port):
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(timeout)
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                failed = error
            else:
                return connection
        raise failed


def _meanings(address: Address) -> tuple[Address, ...]:
    """The address, and the IPv4 address that it carries or leads to."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address, address.sixtofour)
    if address in _NAT64:
        return (address, IPv4Address(address.packed[-4:]))
    return (address,)


class OutboundClient:
    """Sends requests over connections that a guard has judged, each over one of its own."""

    def __init__(self, guard: Guard, *, timeout: Timeout, verify: bool = True) -> None:
        self._guard = guard
        self._timeout = timeout
        self._tls: dict[str, Any] = (
            {"ssl_context": ssl.create_default_context()}
            if verify
            else {"cert_reqs": "CERT_NONE", "assert_hostname": False}
        )

    @contextmanager
    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Iterator[BaseHTTPResponse]:
        """Send one request, once; the answer's body is read within the context, as it came over the wire.

        Raises OutboundRefused, and urllib3's HTTPError.
        """
        parsed = parse_url(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise LocationParseError(url)
        tls = self._tls if parsed.scheme == "https" else {}
        pool = guarded_pool(
            self._guard, parsed.scheme, parsed.host, parsed.port, timeout=self._timeout, maxsize=1, **tls
        )
        try:
            response = pool.urlopen(
                method, parsed.request_uri, body=body, headers=headers,
                redirect=False, preload_content=False, decode_content=False,
            )  # fmt: skip
            try:
                yield response
            finally:
                response.close()
        finally:
            pool.close()


def guarded_pool(
    guard: Guard,
    scheme: str,
    host: str,
    port: int | None,
    *,
    connect_seconds: float | None = None,
    **options: Any,  # noqa: ANN401 - urllib3's own
) -> HTTPConnectionPool:
    """A pool of connections to one host, each judged when it is made; it repeats nothing by itself.

    Behind a proxy it is the proxy's address that is judged. `connect_seconds` is for connecting alone, where
    urllib3's time for it holds for sending too.
    """
    pool = (_SecurePool if scheme == "https" else HTTPConnectionPool)(host, port, retries=False, **options)
    kinds = (_Guarded, HTTPSConnection if scheme == "https" else HTTPConnection)
    pool.ConnectionCls = type("Guarded", kinds, {"guard": guard, "connect_seconds": connect_seconds})
    return pool


class _SecurePool(HTTPSConnectionPool):
    """Without a warning at each request whose certificate is not verified: somebody has chosen that."""

    def _validate_conn(self, conn: Any) -> None:  # noqa: ANN401 - urllib3 keeps the type to itself
        if conn.is_closed:
            conn.connect()


class _Guarded:
    """A connection of urllib3 whose socket comes from the guard."""

    guard: Guard
    connect_seconds: float | None
    host: str
    port: int
    timeout: Any
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        connection: Any = self
        seconds = self.connect_seconds or float(self.timeout)
        try:
            made = self.guard.connect(self._dns_host, self.port, timeout=seconds)
            # head and body go in two pieces: the second must not wait until the first is acknowledged
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, connection, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(connection, f"{self.host} did not answer in {seconds:g} s") from error
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(connection, f"cannot connect to {self.host}: {error}") from error
        return made
