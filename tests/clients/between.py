"""A proxy before a registry on loopback: it passes everything on, counts it, and does wrong where a test wants it to.

Host names go through as they came, so that a registry's own addresses lead back through here.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

_PIECE: Final = 64 * 1024
_PATIENCE: Final = 120
_NOT_PASSED_ON: Final = frozenset({"connection", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """What happens to a request instead of its being passed on as it is."""

    status: int = 0
    """Answered in the registry's place; the request's body is taken before."""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_request: int | None = None
    """The connections are closed when so many bytes of the request's body have been passed on."""
    cut_answer: int | None = None
    """The connection is closed after so many bytes of the answer's body."""
    altered: bool = False
    """The last byte of the answer's body is another."""
    hangs: bool = False
    """Nothing is ever answered."""
    lost: bool = False
    """It is passed on, and the connection is closed instead of an answer."""


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A request that was answered, or broken off: then its status is 0."""

    method: str
    target: str
    status: int


Rule = Callable[[str, str], Wrong | None]


class Between:
    """The proxy; `url` stays while it is down."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.rules: list[Rule] = []
        self.passed: list[Passed] = []
        self.wronged = 0
        """Requests to which wrong was done."""
        self.uploaded = 0
        """Bytes of bodies sent to uploads until now."""
        self.connections: set[socket.socket] = set()
        self.closing = threading.Event()
        self._server: _Server | None = None
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen, on the same port as before."""
        self.closing.clear()
        server = self._server = _Server(self._port, self)
        self._port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def down(self) -> None:
        """Refuse connections, and break off those there are."""
        self.closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def once(self, method: str, part: str, wrong: Wrong) -> None:
        """Do wrong the next time that somebody asks for this."""
        self.first(1, method, part, wrong)

    def first(self, times: int, method: str, part: str, wrong: Wrong) -> None:
        """Do wrong the next times."""
        left = [wrong] * times

        def rule(asked: str, target: str) -> Wrong | None:
            return left.pop() if left and asked == method and part in target else None

        self.rules.append(rule)

    def stored(self) -> Counter[str]:
        """How often each blob was sent to its end."""
        return Counter(
            digest
            for each in list(self.passed)
            if each.method == "PUT" and each.status == http.client.CREATED
            for digest in parse_qs(urlsplit(each.target).query).get("digest", ())
        )

    def wrong_for(self, method: str, target: str) -> Wrong | None:
        """What is done to a request instead of passing it on, if anything."""
        found = next((wrong for rule in self.rules if (wrong := rule(method, target)) is not None), None)
        self.wronged += found is not None
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, between: Between) -> None:
        self.between = between
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, *_arguments: object) -> None:
        """Connections that break are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.between.connections.add(self.connection)

    def finish(self) -> None:
        self.server.between.connections.discard(self.connection)
        super().finish()

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        between, method, target = self.server.between, self.command, self.path
        wrong = between.wrong_for(method, target) or Wrong()
        self._told = False
        try:
            self._answer(wrong)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            if not self._told:
                self._tell(0)

    def _tell(self, status: int) -> None:
        """Note how a request was answered, before whoever asked hears of it, or has gone without."""
        self._told = True
        self.server.between.passed.append(Passed(method=self.command, target=self.path, status=status))

    def _answer(self, wrong: Wrong) -> None:
        if wrong.hangs:
            self.server.between.closing.wait(_PATIENCE)
            self.close_connection = True
            return
        if wrong.status:
            for _ in self._body():
                pass
            self._tell(wrong.status)
            self.send_response(wrong.status)
            for name, value in {**wrong.headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.server.between.upstream, timeout=_PATIENCE)
        try:
            self._pass_on(upstream, wrong)
        finally:
            upstream.close()

    def _pass_on(self, upstream: http.client.HTTPConnection, wrong: Wrong) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _NOT_PASSED_ON:
                upstream.putheader(name, value)
        upstream.endheaders()
        for piece in self._body(wrong.cut_request):
            upstream.send(piece)
        if wrong.cut_request is not None:
            self.close_connection = True
            return
        answer = upstream.getresponse()
        self._tell(answer.status)
        if wrong.lost:
            self.close_connection = True
            return
        content = b"" if answer.length is not None else answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        if answer.headers.get("Content-Length") is None and answer.status != http.client.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self._send(content, answer, wrong)

    def _send(self, content: bytes, answer: http.client.HTTPResponse, wrong: Wrong) -> None:
        if wrong.cut_answer is not None:
            self.wfile.write((content or answer.read())[: wrong.cut_answer])
            self.close_connection = True
        elif wrong.altered:
            whole = content or answer.read()
            self.wfile.write(whole[:-1] + bytes([whole[-1] ^ 1]))
        else:
            self.wfile.write(content)
            while piece := answer.read(_PIECE):
                self.wfile.write(piece)

    def _body(self, most: int | None = None) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        left = left if most is None else min(most, left)
        while left and (piece := self.rfile.read1(min(_PIECE, left))):
            left -= len(piece)
            if "/blobs/uploads/" in self.path:
                self.server.between.uploaded += len(piece)
            yield piece
        if left:
            message = "the client has gone"
            raise ConnectionError(message)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def between(upstream: str) -> Iterator[Between]:
    """A proxy that listens, before the registry at a URL."""
    proxy = Between(upstream)
    try:
        yield proxy
    finally:
        proxy.down()
