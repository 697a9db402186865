"""What a mount that is asked to end waits for, and what it does not wait for."""

import socket
import time
from collections.abc import Iterator

import psycopg
import pytest

from shared.settings import Settings
from tests import factories
from tests.integration.conftest import Database
from tests.integration.token.mount import Mount, basic, token_mount
from tests.servers import wait_for

Rows = psycopg.Connection[object]
SECONDS = 4
"""Half of what a request at work is waited for."""


@pytest.fixture(scope="module", autouse=True)
def anna(rows: Rows) -> None:
    factories.user(rows, "anna")


@pytest.fixture
def ending(token_settings: Settings, token_database: Database) -> Iterator[Mount]:
    """A mount of a test's own: it does not outlive it."""
    with token_mount(token_settings, token_database, workers=2) as mount:
        yield mount


def test_connections_that_clients_merely_keep_hold_up_no_end(ending: Mount) -> None:
    for _ in range(8):
        assert ending.get("anna").status == 200
    ending.process.terminate()
    begun = time.monotonic()
    ending.process.wait(SECONDS * 2)
    assert time.monotonic() - begun < SECONDS
    assert "Forcing close" not in ending.log.read_text()


def test_a_request_at_work_is_answered_before_the_end(ending: Mount) -> None:
    body = b"grant_type=password&service=breakwater-registry&client_id=docker&username=nobody&password=wrong"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(ending.socket))
        head = (
            f"POST /auth/token HTTP/1.1\r\nHost: x\r\nAuthorization: {basic('anna')}\r\nX-Forwarded-For: 192.0.2.10\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        client.sendall(head.encode() + body[:10])
        time.sleep(0.5)  # the worker has the head, and waits for the rest
        ending.process.terminate()
        wait_for(lambda: "Shutting down\n" in ending.log.read_text(), seconds=5, what="the mount is about to end")
        time.sleep(0.5)
        client.sendall(body[10:])
        status = client.recv(4096).partition(b"\r\n")[0]
    assert status == b"HTTP/1.1 401 Unauthorized"
    ending.process.wait(SECONDS)
