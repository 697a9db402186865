"""Upstreams for the proxy: each answers with what it was asked, or as a test tells it to."""

from __future__ import annotations

import json
import socketserver
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Behaviour:
    """How an upstream answers for a while."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    chunks: list[bytes] | None = None
    """Sent one by one, each only after the one before was released."""
    release: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))


class Upstream(socketserver.ThreadingUnixStreamServer):
    """An HTTP server on a unix socket that tells what reached it."""

    daemon_threads = True

    def __init__(self, name: str, path: Path) -> None:
        super().__init__(str(path), _Handler)
        path.chmod(0o777)
        self.name = name
        self.behaviour = Behaviour()
        self.requests: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        seen = {
            "upstream": self.server.name,
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": len(body),
        }
        self.server.requests.append(seen)
        behaviour = self.server.behaviour
        content = behaviour.body if behaviour.body is not None else json.dumps(seen).encode()
        self.send_response(behaviour.status)
        for name, value in behaviour.headers.items():
            self.send_header(name, value)
        if behaviour.chunks is None:
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                with suppress(ConnectionError):  # nginx hangs up where its client has
                    self.wfile.write(content)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in behaviour.chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            behaviour.release.acquire(timeout=10)
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - the base class names them

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass
