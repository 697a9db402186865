"""How the worker of the asgi mounts listens and writes, on a socket of its own."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import pytest

from gateway.worker import JoinedTransport, SharingLoop
from tests.servers import short_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(folder / "socket"))
        yield bound


class Taken(asyncio.Protocol):
    """A connection that was taken."""

    def __init__(self, taken: list[asyncio.BaseTransport]) -> None:
        self._taken = taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._taken.append(transport)


def run(work: Callable[[SharingLoop], Coroutine[Any, Any, None]]) -> None:
    loop = SharingLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(work(loop), 10))
    finally:
        loop.close()


def clients(listener: socket.socket, number: int) -> list[socket.socket]:
    connected = []
    for _ in range(number):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(2)
        client.connect(listener.getsockname())
        connected.append(client)
    return connected


def test_of_a_burst_a_loop_takes_one_in_a_turn_and_leaves_the_others_to_others(listener: socket.socket) -> None:
    async def work(loop: SharingLoop) -> None:
        taken: list[asyncio.BaseTransport] = []
        server = await loop.create_server(lambda: Taken(taken), sock=listener, backlog=64)
        burst = clients(listener, 20)
        server._accept()
        server.close()
        await asyncio.sleep(0.05)
        assert len(taken) == 1
        for _ in range(19):
            listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()
        for each in [*taken, *burst]:
            each.close()

    run(work)


def test_all_of_a_burst_are_taken_where_nobody_else_is(listener: socket.socket) -> None:
    async def work(loop: SharingLoop) -> None:
        taken: list[asyncio.BaseTransport] = []
        server = await loop.create_server(lambda: Taken(taken), sock=listener, backlog=64)
        burst = clients(listener, 20)
        for _ in range(1000):
            if len(taken) == len(burst):
                break
            await asyncio.sleep(0.01)
        server.close()
        assert len(taken) == len(burst)
        for each in [*taken, *burst]:
            each.close()

    run(work)


def test_where_no_file_is_free_it_rests_and_goes_on(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        """The listener while the process may open no file."""

        def accept(self) -> None:
            raise OSError(24, "Too many open files")

        def fileno(self) -> int:
            return listener.fileno()

    async def work(loop: SharingLoop) -> None:
        monkeypatch.setattr("gateway.worker._REST_SECONDS", 0.2)
        taken: list[asyncio.BaseTransport] = []
        server = await loop.create_server(lambda: Taken(taken), sock=listener, backlog=64)
        burst = clients(listener, 1)
        monkeypatch.setattr(server, "_listener", Full())
        server._accept()
        monkeypatch.setattr(server, "_listener", listener)
        await asyncio.sleep(0.1)
        assert taken == []
        await asyncio.sleep(0.3)
        assert len(taken) == 1
        server.close()
        for each in [*taken, *burst]:
            each.close()

    run(work)


class Written(asyncio.Transport):
    """Notes what it is given, and when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.came.append(bytes(data))

    def close(self) -> None:
        self.came.append(b"closed")

    def is_closing(self) -> bool:
        return b"closed" in self.came


def test_head_and_body_go_out_in_one_piece() -> None:
    async def work(loop: SharingLoop) -> None:
        written = Written()
        joined = JoinedTransport(written, loop)
        joined.write(b"head ")
        joined.write(b"body")
        assert written.came == []
        await asyncio.sleep(0)
        assert written.came == [b"head body"]
        joined.write(b"next")
        await asyncio.sleep(0)
        assert written.came == [b"head body", b"next"]

    run(work)


def test_what_was_written_goes_out_before_the_connection_is_closed() -> None:
    async def work(loop: SharingLoop) -> None:
        written = Written()
        joined = JoinedTransport(written, loop)
        joined.write(b"last")
        assert not joined.is_closing()
        joined.close()
        await asyncio.sleep(0)
        assert written.came == [b"last", b"closed"]
        assert joined.is_closing()

    run(work)
