"""A websocket's server side, as far as `kubectl exec` and `kubectl port-forward` need one (RFC 6455).

What a client sends is not read: the commands that are run so take no input, and nobody speaks through the forward.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY: Final = 0x82
_CLOSE: Final = 0x88
_STDOUT: Final = 1
_STATUS: Final = 3
EXEC: Final = "v5.channel.k8s.io"
FORWARD: Final = "SPDY/3.1+portforward.k8s.io"


def accept(request: BaseHTTPRequestHandler, protocol: str) -> None:
    """Take the handshake of a client that offers this protocol. Raises AssertionError for another."""
    offered = [each.strip() for each in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    assert protocol in offered, f"{request.path} was asked in {offered}"
    key = request.headers["Sec-WebSocket-Key"]
    request.send_response(101)
    request.send_header("Upgrade", "websocket")
    request.send_header("Connection", "Upgrade")
    request.send_header("Sec-WebSocket-Protocol", protocol)
    digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
    request.send_header("Sec-WebSocket-Accept", base64.b64encode(digest).decode())
    request.end_headers()
    request.close_connection = True


def _frame(kind: int, content: bytes) -> bytes:
    size = len(content)
    if size < 126:
        return bytes([kind, size]) + content
    return bytes([kind, 126]) + struct.pack("!H", size) + content


def say(request: BaseHTTPRequestHandler, output: bytes, status: dict[str, Any]) -> None:
    """What a command has written, how it ended, and the end of the stream."""
    request.wfile.write(_frame(_BINARY, bytes([_STDOUT]) + output))
    request.wfile.write(_frame(_BINARY, bytes([_STATUS]) + json.dumps(status).encode()))
    request.wfile.write(_frame(_CLOSE, struct.pack("!H", 1000)))
    request.wfile.flush()


def hold(request: BaseHTTPRequestHandler) -> None:
    """Until the client goes."""
    while request.connection.recv(4096):
        pass
