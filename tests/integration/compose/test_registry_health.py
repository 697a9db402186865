"""The health check of the registry's container, by what a server at its socket answers."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from compose.local.options import CHECKOUT
from tests.servers import short_folder

if TYPE_CHECKING:
    from pathlib import Path


def exit_code(path: Path) -> int:
    """As a container runs it."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "compose.registryctl.health", path], cwd=CHECKOUT, check=False, timeout=30
    ).returncode


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", 0),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\n\r\n", 1),
        (b'{"ended": "Error"}\n', 1),
        (b"", 1),
    ],
)
def test_registry_is_well_where_it_asks_for_a_token_and_not_otherwise(answer: bytes, expected: int) -> None:
    asked: list[bytes] = []
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "front.sock"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert exit_code(folder / "front.sock") == expected
        thread.join(10)
    assert asked[0].startswith(b"GET /v2/ HTTP/1.1\r\n")


def test_registry_that_is_not_there_is_not_well() -> None:
    with short_folder() as folder:
        assert exit_code(folder / "front.sock") == 1
