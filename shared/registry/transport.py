"""HTTP over unix sockets: a kept-alive connection pool with limits, for the registry and the gateway's mounts.

It sends what it is told once; who may repeat a request decides above.
"""

import random
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import NewConnectionError
from urllib3.response import BaseHTTPResponse

from shared.metrics.figures import REGISTRY_REQUESTS, REGISTRY_SECONDS
from shared.metrics.tally import Tally
from shared.registry.errors import RegistryRefused
from shared.tracing.current import calling

BLOCK: Final = 16 * 1024
"""Bytes of a body that are sent at once, unless told otherwise."""
WAIT_SECONDS: Final = 10
"""How long a request waits for one of the pool's connections."""


class _UnixConnection(HTTPConnection):
    """A connection whose address is a file, or any one of several."""

    paths: Sequence[Path]

    def _new_conn(self) -> socket.socket:
        *others, last = random.sample(self.paths, len(self.paths))
        for path in others:
            with suppress(OSError):
                return self._connect(path)
        try:
            return self._connect(last)
        except OSError as error:
            raise NewConnectionError(self, f"cannot connect to {last.name}: {error}") from error

    def _connect(self, path: Path) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        timeout = self.timeout
        if isinstance(timeout, int | float):
            connection.settimeout(timeout)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return connection


@dataclass(slots=True)
class Asked:
    """A request under way."""

    status: str = "none"
    """What it was answered with, once it was."""


class UnixPool(HTTPConnectionPool):
    """Connections to a socket, `maxsize` at most; a request beyond that waits for its turn, for a while.

    Of the sockets of several equal servers each connection goes to one that takes it. Where a tally is given the server
    is the registry, and what it is asked is counted there.
    """

    def __init__(
        self,
        path: Path | Sequence[Path],
        *,
        maxsize: int = 8,
        timeout: Timeout | None = None,
        blocksize: int = BLOCK,
        tally: Tally | None = None,
    ) -> None:
        class Connection(_UnixConnection):
            pass

        Connection.paths = (path,) if isinstance(path, Path) else tuple(path)
        self.ConnectionCls: type[_UnixConnection] = Connection
        self._tally = tally
        super().__init__(
            "localhost", maxsize=maxsize, block=True, timeout=timeout or Timeout(connect=5, read=30), retries=False,
            blocksize=blocksize,
        )  # fmt: skip

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> BaseHTTPResponse:
        """Send one request, once; the body of the answer is still to be read. Raises urllib3's HTTPError."""
        with calling(method, path, self.ConnectionCls.paths[0].name) as call, self.counted(method) as asked:
            response = self.urlopen(
                method, path, body=body, headers={**headers, **call.headers}, preload_content=False, redirect=False,
                pool_timeout=WAIT_SECONDS,
            )  # fmt: skip
            call.status = response.status
            asked.status = str(response.status)
        return response

    @contextmanager
    def counted(self, method: str) -> Iterator[Asked]:
        """Around a request until its answer begins."""
        asked, begun = Asked(), perf_counter()
        try:
            yield asked
        finally:
            if self._tally is not None:
                self._tally.count(REGISTRY_REQUESTS, method, asked.status)
                self._tally.time(REGISTRY_SECONDS, perf_counter() - begun, method)


def read_limited(response: BaseHTTPResponse, limit: int, what: str) -> bytes:
    """The body, its connection given back. Raises RegistryRefused where it is longer than `limit` bytes."""
    body = response.read(limit + 1)
    if len(body) > limit:
        response.close()
        raise RegistryRefused(f"{what} is larger than {limit} bytes")
    response.release_conn()
    return body
