"""A receiver of webhooks on loopback: remembers what it was sent, and answers as a test tells it to."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    seconds: float = 0
    drip: bool = False
    """One byte of the head each second, for ever."""


class Receiver(ThreadingHTTPServer):
    """The server; `reply` decides by the request."""

    daemon_threads = True

    def __init__(self, reply: Callable[[Received], Reply], context: ssl.SSLContext | None, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.reply = reply
        self.scheme = "https" if context else "http"
        self.received: list[Received] = []
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return "{}://{}:{}".format(self.scheme, *self.server_address)

    def handle_error(self, *_arguments: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received = Received(path=self.path, headers=dict(self.headers), body=body)
        self.server.received.append(received)
        reply = self.server.reply(received)
        time.sleep(reply.seconds)
        if reply.drip:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while True:
                self.wfile.write(b"x")
                time.sleep(1)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def receiving(
    reply: Callable[[Received], Reply] = lambda _received: Reply(), *, context: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Receiver]:
    """A receiver that listens."""
    with Receiver(reply, context, host) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def by_path(replies: dict[str, Reply]) -> Callable[[Received], Reply]:
    """Answers by the path's first word; what is not named is taken well."""

    def reply(received: Received) -> Reply:
        return replies.get(received.path.split("/")[1], Reply())

    return reply


def paths(receiver: Receiver) -> list[str]:
    """The paths that were asked, in order."""
    return [each.path for each in receiver.received]


def delivery_ids(receiver: Receiver) -> list[Any]:
    """The delivery each request says to be, in order."""
    return [each.headers["X-Breakwater-Delivery"] for each in receiver.received]
