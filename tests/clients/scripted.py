"""An HTTP server on loopback that answers as a test tells it to, remembers what it was asked, and keeps connections.

It is strict where clients may not be sloppy: a body comes with its length.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes
    broken: bool = False
    """Whether the body ended before its length."""

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None
    """What the head says of the body's length, where that is not true."""
    seconds: float = 0
    """How long the answer takes to come."""
    hang_up: bool = False
    """Nothing is answered."""

    @classmethod
    def of(cls, content: Any, *, status: int = 200, **headers: str) -> Reply:  # noqa: ANN401
        return cls(
            status=status, body=json.dumps(content).encode(), headers={"Content-Type": "application/json", **headers}
        )

    @classmethod
    def refusing(cls, status: int, code: str, message: str = "", **headers: str) -> Reply:
        """In the error's form of the distribution specification."""
        return cls.of({"errors": [{"code": code, "message": message}]}, status=status, **headers)


Answering = Callable[[Request], Reply]


class Scripted(ThreadingHTTPServer):
    """The server. `cut` may say after how many bytes of a request's body the connection is closed."""

    daemon_threads = True

    def __init__(self, answer: Answering, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.cut: Callable[[str, str], int | None] = lambda _method, _target: None
        self.asked: list[Request] = []
        self.connections = 0
        self.scheme = "https" if context else "http"
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    @property
    def lines(self) -> list[str]:
        return [each.line for each in self.asked]

    def handle_error(self, *_arguments: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if self.headers.get("Transfer-Encoding"):
            self._write(Reply(status=411, body=b"a length is required"))
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        cut = self.server.cut(self.command, self.path)
        body = self.rfile.read(length if cut is None else min(cut, length))
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            broken=len(body) < length,
        )
        self.server.asked.append(request)
        reply = self.server.answer(request)
        time.sleep(reply.seconds)
        if reply.hang_up or cut is not None:
            self.close_connection = True
            return
        self._write(reply)

    def _write(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        length = len(reply.body) if reply.length is None else reply.length
        if "Content-Length" not in reply.headers and reply.status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.close_connection = self.close_connection or length != len(reply.body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def scripted(answer: Answering, *, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    """A server that listens."""
    with Scripted(answer, context) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A request as somebody's documentation shows it, and its answer."""

    line: str
    reply: Reply
    headers: Mapping[str, str] = field(default_factory=dict)
    """That the request must have."""
    content: Any = None
    """The JSON that the request must bring."""

    def fits(self, request: Request) -> bool:
        if request.line != self.line or any(request.headers.get(name) != each for name, each in self.headers.items()):
            return False
        return self.content is None or (bool(request.body) and json.loads(request.body) == self.content)


@dataclass
class Replay:
    """Answers what is documented, and nothing else."""

    exchanges: list[Exchange] = field(default_factory=list)
    undocumented: list[Request] = field(default_factory=list)

    def add(self, line: str, reply: Reply, *, content: Any = None, **headers: str) -> None:  # noqa: ANN401
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.exchanges.append(Exchange(line=line, reply=reply, headers=named, content=content))

    def answer(self, request: Request) -> Reply:
        for each in self.exchanges:
            if each.fits(request):
                return each.reply
        self.undocumented.append(request)
        return Reply.refusing(418, "UNDOCUMENTED", request.line)


@contextmanager
def replaying() -> Iterator[tuple[Replay, Scripted]]:
    """A server of documented exchanges; asking it anything else fails the test."""
    replay = Replay()
    with scripted(replay.answer) as server:
        yield replay, server
    assert replay.undocumented == [], [(each.line, each.headers, each.body[:300]) for each in replay.undocumented]
