"""gunicorn's worker for the asgi mounts: uvicorn's, on uvloop, with httptools' parser, that shares its socket well.

A loop takes all the connections that wait at once: whichever worker wakes first would get all of a burst, keep them
alive, and work alone from then on. And uvicorn writes an answer's head and body one after the other: for a kilobyte two
calls of the system here, and two reads of the proxy.
"""

from asyncio import BaseProtocol, Transport
from collections.abc import Callable
from socket import socket
from typing import Any, ClassVar, Final

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn_worker import UvicornWorker

_REST_SECONDS: Final = 1
_STOP_SECONDS: Final = 4
"""Requests and streams that have not ended by then are cut off, well before gunicorn would kill the worker."""


class SharingServer:
    """Takes one connection in a turn of the loop from a socket that others listen on too."""

    def __init__(self, loop: uvloop.Loop, listener: socket, protocol: Callable[[], BaseProtocol]) -> None:
        self._loop = loop
        self._listener = listener
        self._protocol = protocol
        self._listening = True
        loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take no more; connections that there are stay."""
        self._listening = False
        self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Nothing is left to wait for: who asked for this knows its connections."""

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:
            # no file is free: the others that listen may have some, and soon there is one here
            self._loop.remove_reader(self._listener)
            self._loop.call_later(_REST_SECONDS, self._listen_again)
            return
        connection.setblocking(False)
        self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, connection))

    def _listen_again(self) -> None:
        if self._listening:
            self._loop.add_reader(self._listener, self._accept)


class SharingLoop(uvloop.Loop):
    """uvloop, but for how it listens."""

    async def create_server(  # type: ignore[override]  # uvicorn alone calls it, with a socket that is bound
        self, protocol: Callable[[], BaseProtocol], *, sock: socket, backlog: int, **_options: object
    ) -> SharingServer:
        """Listen on a bound socket with a queue of this length."""
        sock.setblocking(False)
        sock.listen(backlog)
        return SharingServer(self, sock, protocol)


class JoinedTransport:
    """Another transport, to which all that is written in one turn of the event loop goes at once."""

    def __init__(self, transport: Transport, loop: uvloop.Loop) -> None:
        self._transport = transport
        self._loop = loop
        self._pieces: list[bytes] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever else a transport has
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Keep it until this turn is over."""
        if not self._pieces:
            self._loop.call_soon(self._send)
        self._pieces.append(data)

    def close(self) -> None:
        """Close it behind what was written."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        if self._pieces:
            pieces, self._pieces = self._pieces, []
            self._transport.write(b"".join(pieces))


class _JoiningProtocol(HttpToolsProtocol):
    """uvicorn's, with such a transport."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # it is said to be an asyncio one
        super().connection_made(JoinedTransport(transport, self.loop))  # type: ignore[arg-type]  # it behaves as one


class SharingWorker(UvicornWorker):  # type: ignore[misc]  # it has no types
    """For `gunicorn -k gateway.worker.SharingWorker`: behind the proxy, which alone says who a client is."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "gateway.worker:SharingLoop",
        "http": _JoiningProtocol,
        "ws": "none",
        "interface": "asgi3",
        "lifespan": "on",
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
        "timeout_graceful_shutdown": _STOP_SECONDS,
    }
