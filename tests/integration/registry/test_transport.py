"""Connections to a unix socket: limits on how many, how long and how much."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3 import Timeout
from urllib3.exceptions import EmptyPoolError, HTTPError, NewConnectionError

from shared.metrics.tally import Tally
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


def test_what_is_asked_is_counted_with_its_time_answered_or_not(silent: Path) -> None:
    path, tally = silent.with_name("there.sock"), Tally()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                time.sleep(0.1)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        server = threading.Thread(target=answer)
        server.start()
        UnixPool(path, timeout=Timeout(connect=1, read=5), tally=tally).ask("GET", "/", {}, None)
        server.join(10)
    with pytest.raises(HTTPError):
        UnixPool(silent, timeout=Timeout(connect=1, read=0.3), tally=tally).ask("PUT", "/", {}, b"")
    told = {(each.name, *each.labels): each.value for each in tally.take()}
    assert told["registry_requests", "GET", "204"] == 1
    assert told["registry_requests", "PUT", "none"] == 1
    assert 0.1 <= told["registry_request_seconds", "GET", "sum"] < 1
    assert 0.3 <= told["registry_request_seconds", "PUT", "sum"] < 2


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


def test_of_several_sockets_one_that_takes_connections_is_asked(silent: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        there, dead = silent.with_name("there.sock"), silent.with_name("dead.sock")
        listener.bind(str(there))
        listener.listen(8)
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(dead))  # as a process that was killed leaves it
        answered = []

        def answer() -> None:
            for _ in range(8):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")

        server = threading.Thread(target=answer)
        server.start()
        pool = UnixPool([dead, silent.with_name("none.sock"), there], timeout=Timeout(connect=1, read=5))
        for _ in range(8):
            response = pool.ask("GET", "/", {}, None)
            answered.append(response.status)
            response.drain_conn()
        server.join(10)
    assert answered == [204] * 8
    with pytest.raises(NewConnectionError):
        UnixPool([dead, silent.with_name("none.sock")]).ask("GET", "/", {}, None)
