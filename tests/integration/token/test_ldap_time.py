"""Directories that answer a byte now and then: no step takes longer than its time-out, and the next server is asked."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network

import pytest

from shared.auth.ldap.connection import Connection, open_for_search
from shared.auth.ldap.search import find_user
from shared.auth.ldap.servers import Servers
from shared.auth.ldap.settings import LdapSettings
from shared.errors import Unavailable
from shared.outbound import Guard, Reach
from shared.secrets import Secret
from tests.slapd import Directory, slapd

GUARD = Guard(Reach.PRIVATE, [ip_network("127.0.0.0/8")])
BIND_REQUEST = b"\x60"
SEARCH_REQUEST = b"\x63"
EXTENDED_REQUEST = b"\x77"
_GREATEST_MESSAGE = b"\x30\x84\x7f\xff\xff\xff"
_GREATEST_RECORD = b"\x16\x03\x03\x40\x00"
_SUCCESS = b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00"


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with slapd({"alice": "Al1ce-of-the-directory"}) as directory:
        yield directory


@contextmanager
def _dripping(slow: bytes, *, beginning: bytes = _GREATEST_MESSAGE) -> Iterator[str]:
    """A server that lets everybody in, and whose answers to requests of one kind come byte by byte and never end."""
    ended = threading.Event()

    def answer(taken: socket.socket) -> None:
        with taken, suppress(OSError):
            while request := taken.recv(4096):
                number, kind = _read(request)
                if slow and kind != slow:
                    taken.sendall(_bound(number))
                    continue
                taken.sendall(beginning)
                while not ended.wait(0.2):
                    taken.sendall(b"\x00")

    def take() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],)).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"ldap://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _read(request: bytes) -> tuple[bytes, bytes]:
    """The number of a message, however many bytes it has, and which request it is."""
    at = 2 + (request[1] & 0x7F if request[1] > 0x7F else 0)
    end = at + 2 + request[at + 1]
    return request[at:end], request[end : end + 1]


def _bound(number: bytes) -> bytes:
    """The answer that a bind went well."""
    body = number + _SUCCESS
    return b"\x30" + bytes([len(body)]) + body


def _settings(directory: Directory, *urls: str, **more: object) -> LdapSettings:
    plain = LdapSettings(
        urls=urls, search_dn=directory.reader, search_password=Secret(directory.reader_password),
        base_dn=directory.people_base, uid="uid", timeout=1,
    )
    return replace(plain, **more)  # type: ignore[arg-type] # of whatever type the field is


@pytest.mark.parametrize(
    ("slow", "beginning", "start_tls", "scheme"),
    [
        (BIND_REQUEST, _GREATEST_MESSAGE, False, "ldap"),
        (SEARCH_REQUEST, _GREATEST_MESSAGE, False, "ldap"),
        (EXTENDED_REQUEST, _GREATEST_MESSAGE, True, "ldap"),
        (b"", _GREATEST_RECORD, False, "ldaps"),
    ],
    ids=["bind", "search", "StartTLS", "handshake"],
)
def test_a_server_that_answers_byte_by_byte_costs_its_time_out_and_the_next_one_is_asked(
    directory: Directory, slow: bytes, beginning: bytes, scheme: str, *, start_tls: bool
) -> None:
    with _dripping(slow, beginning=beginning) as url:
        servers = Servers(GUARD, _settings(directory, url.replace("ldap", scheme, 1), start_tls=start_tls))
        begun = time.monotonic()
        with pytest.raises(Unavailable) as refused:
            servers.ask(lambda connection, _url: find_user(connection, servers.settings, "alice"))
        assert time.monotonic() - begun < 2.5
        assert "within 1 s" in str(refused.value.__cause__)


def test_after_a_server_that_answers_byte_by_byte_the_next_one_is_asked(directory: Directory) -> None:
    with _dripping(BIND_REQUEST) as url:
        servers = Servers(GUARD, _settings(directory, url, directory.url))

        def look(connection: Connection, asked: str) -> str:
            assert find_user(connection, servers.settings, "alice")
            return asked

        assert servers.ask(look) == directory.url
        servers.close()


def test_a_connection_that_was_in_time_serves_longer_than_its_time_out(directory: Directory) -> None:
    settings = _settings(directory, directory.url)
    connection = open_for_search(GUARD, settings, directory.url)
    for _ in range(3):
        time.sleep(0.6)
        assert find_user(connection, settings, "alice")
    connection.unbind()
