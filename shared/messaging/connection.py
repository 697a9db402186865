"""Connections to the broker: time-outs everywhere, heartbeats, and capped, jittered pauses between attempts."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import amqp

from shared.settings import Settings

CONNECT_SECONDS: Final = 3
CLOSE_SECONDS: Final = 2
HEARTBEAT_SECONDS: Final = 20

BROKER_ERRORS: Final = (amqp.exceptions.AMQPError, OSError)
"""What a broker that is away, goes away or refuses raises; a time-out is an OSError."""


class Backoff:
    """Pauses that double up to a cap, each shortened by up to a half at random."""

    def __init__(self, *, first: float = 0.1, cap: float = 5.0) -> None:
        self._first = first
        self._cap = cap
        self.count = 0

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        longest = min(self._cap, self._first * 2.0 ** min(self.count, 30))
        self.count += 1
        return longest * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin again after a success."""
        self.count = 0


@contextmanager
def connected(settings: Settings) -> Iterator[Any]:
    """An open `amqp.Connection` of this process's part; closed within seconds, also when the broker is away.

    Raises one of BROKER_ERRORS.
    """
    connection = amqp.Connection(
        host=f"{settings.amqp_host}:{settings.amqp_port}",
        userid=settings.part,
        password=settings.secret("amqp-password").reveal(),
        virtual_host=settings.amqp_vhost,
        login_method="PLAIN",
        connect_timeout=CONNECT_SECONDS,
        heartbeat=HEARTBEAT_SECONDS,
        client_properties={"connection_name": f"breakwater {settings.part}"},
    )
    connection.connect()
    try:
        yield connection
    finally:
        with suppress(*BROKER_ERRORS, AttributeError):  # py-amqp trips over a socket that is gone
            connection.transport.sock.settimeout(CLOSE_SECONDS)
            connection.close()
        connection.collect()


def drain(connection: Any, seconds: float) -> bool:  # noqa: ANN401 - py-amqp has no types
    """Let the broker's next message in; False where none came in time. Raises one of BROKER_ERRORS."""
    try:
        connection.drain_events(timeout=max(seconds, 0.001))
    except socket.timeout:  # noqa: UP041 - eventlet's own is no TimeoutError everywhere
        return False
    return True
