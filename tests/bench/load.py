"""A load client that costs little: prepared requests on kept-alive connections, one epoll loop in a process of its own.

It speaks just enough HTTP/1.1 for answers with a Content-Length, and for a server that says that a connection's last
answer has come, as nginx does after a thousand; anything else is an error, not a guess.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

_READ: Final = 16_384
"""More than most answers have; room for much more would be taken from the system, and given back, at each read."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is sent: each connection has one request open at a time; `per_second` caps the total rate (0: no cap)."""

    address: tuple[str, int] | str
    requests: Sequence[bytes]
    connections: int
    seconds: float
    warm_up: float = 0.5
    per_second: float = 0.0
    source: str = ""
    """The address of this machine that it comes from, where it is not to be the usual one."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came back after the warm-up: latencies in seconds, and how often each status."""

    seconds: float
    latencies: list[float] = field(repr=False)
    statuses: Mapping[int, int]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def request(
    method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, host: str = "127.0.0.1",
) -> bytes:
    """The bytes of one request on a kept-alive connection."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    if body or method in {"POST", "PUT"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def connect(address: tuple[str, int] | str, source: str = "") -> socket.socket:
    """A connection without Nagle's delay, to a port or a unix socket."""
    if isinstance(address, str):
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(30)
        connected.connect(address)
        return connected
    connected = socket.create_connection(address, timeout=30, source_address=(source, 0) if source else None)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _length(head: bytes) -> int:
    """How many bytes follow the head. Raises ValueError where the answer does not say."""
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        if lowered.startswith((b"http/1.1 204", b"http/1.1 304")):
            return 0
        raise ValueError(f"an answer without Content-Length: {head[:200]!r}")
    return int(lowered[start + 17 : lowered.find(b"\r\n", start + 17) if b"\r\n" in lowered[start + 17 :] else None])


class _Lane:
    """One connection: what was sent when, and what has come so far."""

    __slots__ = ("came", "last", "next", "sent", "socket", "wanted")

    def __init__(self, connected: socket.socket, first: int) -> None:
        self.socket = connected
        self.came = b""
        self.wanted = -1
        self.sent = 0.0
        self.next = first
        self.last = False

    def send(self, requests: Sequence[bytes]) -> None:
        self.sent = time.perf_counter()
        self.socket.sendall(requests[self.next % len(requests)])
        self.next += 1

    def receive(self) -> int:
        """The status once the answer is complete, else 0. Raises ConnectionError when the server hung up."""
        came = self.socket.recv(_READ)
        if not came:
            raise ConnectionError("the server closed the connection")
        self.came = self.came + came if self.came else came
        if self.wanted < 0:
            end = self.came.find(b"\r\n\r\n")
            if end < 0:
                return 0
            head = self.came[:end]
            self.wanted = end + 4 + _length(head)
            self.last = b"\r\nconnection: close" in head.lower()
        if len(self.came) < self.wanted:
            return 0
        status = int(self.came[9:12])
        self.came, self.wanted = b"", -1
        return status


class _Lanes:
    """All connections of a load, and what is to be read from which."""

    def __init__(self, load: Load) -> None:
        self._address, self._source = load.address, load.source
        self._lanes: dict[int, _Lane] = {}
        self._poller = select.epoll()
        step = max(1, len(load.requests) // load.connections)
        self.idle = [self._opened(number * step) for number in range(load.connections)]

    def readable(self, seconds: float) -> Iterator[_Lane]:
        """Those from which something can be read within that time."""
        for number, _ in self._poller.poll(seconds):
            yield self._lanes[number]

    def reopened(self, lane: _Lane) -> _Lane:
        """A new connection in the place of one."""
        self._poller.unregister(lane.socket.fileno())
        del self._lanes[lane.socket.fileno()]
        lane.socket.close()
        return self._opened(lane.next)

    def _opened(self, first: int) -> _Lane:
        lane = _Lane(connect(self._address, self._source), first)
        self._lanes[lane.socket.fileno()] = lane
        self._poller.register(lane.socket.fileno(), select.EPOLLIN)
        return lane


def _drive(load: Load, pipe: Connection) -> None:
    lanes = _Lanes(load)
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    started = time.perf_counter()
    measured_from = started + load.warm_up
    until = measured_from + load.seconds
    idle = lanes.idle
    issued = 0
    while (now := time.perf_counter()) < until:
        due = len(idle) if not load.per_second else min(len(idle), int((now - started) * load.per_second) - issued)
        for lane in idle[:due]:
            lane.send(load.requests)
        issued += max(due, 0)
        idle = idle[max(due, 0) :]
        for lane in lanes.readable(0.005 if load.per_second else 0.1):
            try:
                status = lane.receive()
            except ConnectionError:
                statuses[0] += 1
                idle.append(lanes.reopened(lane))
                continue
            if not status:
                continue
            done = time.perf_counter()
            if done >= measured_from:
                latencies.append(done - lane.sent)
                statuses[status] += 1
            rested = lanes.reopened(lane) if lane.last else lane
            if load.per_second:
                idle.append(rested)
            else:
                rested.send(load.requests)
    pipe.send(Result(seconds=load.seconds, latencies=latencies, statuses=dict(statuses)))
    pipe.close()


class Running:
    """A load that is under way in its own process."""

    def __init__(self, load: Load) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe(duplex=False)
        self._limit = load.seconds + load.warm_up + 60
        self.process = context.Process(target=_drive, args=(load, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def result(self) -> Result:
        """Waits for the end."""
        if not self._ours.poll(self._limit):
            raise TimeoutError("the load client did not end in time")
        result: Result = self._ours.recv()
        self.process.join(10)
        return result

    def stop(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(10)


def drive(load: Load) -> Result:
    """Runs a load to its end."""
    with driving(load) as running:
        return running.result()


@contextmanager
def driving(load: Load) -> Iterator[Running]:
    """A load beside other work; what is left of it ends with the block."""
    running = Running(load)
    try:
        yield running
    finally:
        running.stop()
