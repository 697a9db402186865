"""Connections to a unix socket: limits on how many, how long and how much."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3 import Timeout
from urllib3.exceptions import EmptyPoolError, HTTPError

from shared.registry import transport
from shared.registry.errors import RegistryRefused
from shared.registry.transport import UnixPool, read_limited
from tests.servers import short_folder


@pytest.fixture
def silent() -> Iterator[Path]:
    """A server that takes connections and never answers."""
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "silent.sock"))
        listener.listen(8)
        yield folder / "silent.sock"


def test_a_server_that_never_answers_is_given_up(silent: Path) -> None:
    pool = UnixPool(silent, timeout=Timeout(connect=1, read=0.3))
    began = time.monotonic()
    with pytest.raises(HTTPError):
        pool.ask("GET", "/", {}, None)
    assert time.monotonic() - began < 3


def test_a_full_pool_is_waited_for_and_then_given_up(silent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "WAIT_SECONDS", 1)
    pool = UnixPool(silent, maxsize=1, timeout=Timeout(connect=1, read=4))

    def hold() -> None:
        with pytest.raises(HTTPError):
            pool.ask("GET", "/", {}, None)

    holder = threading.Thread(target=hold)
    holder.start()
    time.sleep(0.3)
    with pytest.raises(EmptyPoolError):
        pool.ask("GET", "/", {}, None)
    holder.join(10)


def test_an_answer_that_is_too_long_is_refused_without_being_read(silent: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        path = silent.with_name("endless.sock")
        listener.bind(str(path))
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 100)
                connection.recv(1)

        server = threading.Thread(target=answer)
        server.start()
        response = UnixPool(path, timeout=Timeout(connect=1, read=5)).ask("GET", "/", {}, None)
        with pytest.raises(RegistryRefused, match="the answer is larger than 10 bytes"):
            read_limited(response, 10, "the answer")
        server.join(10)
