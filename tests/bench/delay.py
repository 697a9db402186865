"""A TCP proxy that holds every byte for a while, in a process of its own: a link that is far away."""

from __future__ import annotations

import asyncio
import multiprocessing
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

_PIECE = 262_144


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on what comes, each piece so much later than it came, and the end as well."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

    async def give() -> None:
        with suppress(ConnectionError):
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        writer.close()

    giving = asyncio.create_task(give())
    piece = b"-"
    while piece:
        try:
            piece = await reader.read(_PIECE)
        except ConnectionError:
            piece = b""
        await pieces.put((loop.time() + seconds, piece))
    await giving


async def _serve(target: tuple[str, int], seconds: float, pipe: Connection) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*target)
        await asyncio.gather(_carry(reader, back, seconds), _carry(there, writer, seconds))

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run(target: tuple[str, int], seconds: float, pipe: Connection) -> None:
    asyncio.run(_serve(target, seconds, pipe))


@contextmanager
def delayed(address: str, *, round_trip: float) -> Iterator[str]:
    """Yields host:port of a proxy in front of host:port that adds so many seconds to each round trip."""
    host, _, port = address.rpartition(":")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=((host, int(port)), round_trip / 2, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(10):
            raise TimeoutError("the delaying proxy did not start")
        yield f"127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join(10)
