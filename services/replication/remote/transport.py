"""Kept-alive connections on the way to another registry, each judged by the guard when it is made.

It follows no redirect, sends a request once (a read again where the kept connection had gone), and knows no credential.
"""

import ssl
import threading
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError, LocationParseError, ProtocolError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Url, make_headers, parse_url

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.faults import trouble
from shared.outbound import Guard, OutboundRefused, guarded_pool
from shared.tracing.current import calling

CONNECT_SECONDS: Final = 10.0
READ_SECONDS: Final = 60.0
POOL_SECONDS: Final = 300
"""How long a request waits for one of the connections."""
BLOCK: Final = 1024 * 1024
"""Bytes that are sent at once; with urllib3's own block size a copy takes twice the CPU."""

_MOST_POOLS: Final = 8
_SAFE: Final = frozenset({"GET", "HEAD"})


class Readable(Protocol):
    """A body that is read while it is sent; its length is told in a header."""

    def read(self, amount: int, /) -> bytes:
        """Up to `amount` bytes, none at the end."""


Body = bytes | Readable | None


class Wire(Protocol):
    """A way to a registry."""

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, patience: float = READ_SECONDS
    ) -> BaseHTTPResponse:
        """Send one request; the answer's body is still to be read, as it came over the wire. Raises AttemptFailed.

        `patience` is how long nothing may move, in seconds.
        """


class Pools:
    """Connections to a registry, and to the other hosts that it leads to; safe to share between threads."""

    def __init__(self, access: Access, guard: Guard) -> None:
        self._guard = guard
        self._maxsize = max(2, 2 * access.concurrency)
        self._tls = _tls(access)
        self._proxy = _proxy(access)
        self._pools: dict[tuple[str, str, int | None], HTTPConnectionPool] = {}
        self._lock = threading.Lock()

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, patience: float = READ_SECONDS
    ) -> BaseHTTPResponse:
        """As `Wire` says."""
        target = _parsed(url)
        try:
            try:
                return self._once(method, target, headers, body, patience)
            except ProtocolError:
                if method not in _SAFE:
                    raise
                return self._once(method, target, headers, body, patience)
        except OutboundRefused as refused:
            raise AttemptFailed(Fault.REFUSED, refused.sentence) from refused
        except (HTTPError, OSError) as error:
            raise trouble(error, target.netloc or "") from error

    def _once(
        self, method: str, target: Url, headers: Mapping[str, str], body: Body, patience: float
    ) -> BaseHTTPResponse:
        forwarded = self._proxy is not None and target.scheme == "http"
        with calling(method, target._replace(auth=None).url, target.host or "", target.port) as call:
            response = self._pool(target).urlopen(
                method,
                target.url if forwarded else target.request_uri,
                body=body,  # type: ignore[arg-type]  # urllib3 asks for IO, and uses `read`
                headers={**headers, **call.headers, **(self._proxy_headers if forwarded else {})},
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=Timeout(connect=patience, read=patience),
                pool_timeout=POOL_SECONDS,
                preload_content=False,
                decode_content=False,
            )
            call.status = response.status
            return response

    def _pool(self, target: Url) -> HTTPConnectionPool:
        key = (target.scheme or "", target.host or "", target.port)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                if len(self._pools) >= _MOST_POOLS:
                    # the first is the registry's own; one that is dropped ends with its last request
                    self._pools.pop(list(self._pools)[1])
                pool = self._pools[key] = self._made(target)
        return pool

    def _made(self, target: Url) -> HTTPConnectionPool:
        scheme, host, port = target.scheme or "", target.host or "", target.port
        options: dict[str, Any] = {"maxsize": self._maxsize, "block": True, "blocksize": BLOCK}
        if self._proxy is not None:
            # what the proxy connects to is out of our sight, but for an address that is written out
            if self._guard.refuses(host):
                raise OutboundRefused(f"requests may not go to the address of {host}")
            if scheme == "http":
                host, port = self._proxy.host or "", self._proxy.port
            else:
                options |= {"_proxy": self._proxy, "_proxy_headers": self._proxy_headers}
        if scheme == "https":
            options |= self._tls
        return guarded_pool(self._guard, scheme, host, port, connect_seconds=CONNECT_SECONDS, **options)

    @property
    def _proxy_headers(self) -> dict[str, str]:
        auth = self._proxy.auth if self._proxy else None
        return dict(make_headers(proxy_basic_auth=unquote(auth))) if auth else {}


def _parsed(url: str) -> Url:
    try:
        parsed = parse_url(url)
    except LocationParseError as error:
        raise AttemptFailed(Fault.REFUSED, "an address is not a URL") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise AttemptFailed(Fault.REFUSED, "an address is not a URL of http or https")
    return parsed


def _proxy(access: Access) -> Url | None:
    if access.proxy is None or not access.proxy.reveal():
        return None
    parsed = _parsed(access.proxy.reveal())
    if parsed.scheme != "http":
        raise AttemptFailed(Fault.REFUSED, "a proxy is spoken to by http alone")
    return parsed if parsed.port else parsed._replace(port=80)


def _tls(access: Access) -> dict[str, Any]:
    context = ssl.create_default_context()
    if access.ca_certificate:
        try:
            context.load_verify_locations(cadata=access.ca_certificate)
        except (ssl.SSLError, ValueError) as error:
            raise AttemptFailed(Fault.REFUSED, "the certificate authority's certificate is not PEM") from error
    if access.insecure:
        context.check_hostname = False
        return {"ssl_context": context, "cert_reqs": "CERT_NONE", "assert_hostname": False}
    return {"ssl_context": context}
