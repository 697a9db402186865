"""HTTP over a unix socket, with a time-out: for supervisord's procedures and for asking the parts how they are."""

import socket
import xmlrpc.client
from http.client import HTTPConnection, HTTPException
from pathlib import Path

SECONDS = 10.0


class UnixConnection(HTTPConnection):
    """A connection to the server that listens at a path."""

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        """Called by the first request."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class UnixTransport(xmlrpc.client.Transport):
    """Carries remote procedure calls over such a connection."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: tuple[str, dict[str, str]] | str) -> HTTPConnection:
        """Called for each request; what is kept here is closed with the transport."""
        connection = UnixConnection(self._path)
        self._connection = str(host), connection
        return connection


def status_at(path: Path, target: str, *, seconds: float) -> int | None:
    """The status that a server on a unix socket answers a GET with; None where it does not answer."""
    connection = UnixConnection(path, seconds=seconds)
    try:
        connection.request("GET", target)
        return connection.getresponse().status
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
