"""Connections to the broker: time-outs everywhere, heartbeats, and capped, jittered pauses between attempts."""

import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import amqp

from shared.messaging.note import Need, Note
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

    The nodes of a cluster are tried one after the other, each process in an order of its own. Raises one of
    BROKER_ERRORS: at once where a node refuses, which the others would too.
    """
    connection = _open(settings)
    try:
        yield connection
    finally:
        with suppress(*BROKER_ERRORS, AttributeError):  # py-amqp trips over a socket that is gone
            connection.transport.sock.settimeout(CLOSE_SECONDS)
            connection.close()
        connection.collect()


@contextmanager
def noted(settings: Settings, note: Note) -> Iterator[Any]:
    """The same; that it was made, and that the broker has ended it, is noted."""
    try:
        with connected(settings) as connection:
            note.tell(Need.BROKER, found=True)
            yield connection
    except BROKER_ERRORS:
        note.tell(Need.BROKER, found=False)
        raise


def tls_of(settings: Settings, host: str) -> dict[str, Any] | bool:
    """What py-amqp needs to have a node prove its name; False where nothing is asked of it."""
    if settings.amqp_authorities is None:
        return False
    return {"ca_certs": str(settings.amqp_authorities), "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": host}


def _open(settings: Settings) -> Any:  # noqa: ANN401 - py-amqp has no types
    *others, last = random.sample(settings.brokers, len(settings.brokers))
    for node in others:
        with suppress(OSError, amqp.exceptions.ConnectionError):
            return _connect(settings, *node)
    return _connect(settings, *last)


def _connect(settings: Settings, host: str, port: int) -> Any:  # noqa: ANN401 - as above
    connection = amqp.Connection(
        host=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        userid=settings.amqp_user,
        password=settings.secret("amqp-password").reveal(),
        virtual_host=settings.amqp_vhost,
        login_method="PLAIN",
        ssl=tls_of(settings, host),
        connect_timeout=CONNECT_SECONDS,
        heartbeat=HEARTBEAT_SECONDS,
        client_properties={"connection_name": f"breakwater {settings.part}"},
    )
    try:
        connection.connect()
    except BaseException:
        with suppress(*BROKER_ERRORS, AttributeError):
            connection.collect()
        raise
    return connection


def drain(connection: Any, seconds: float) -> bool:  # noqa: ANN401 - py-amqp has no types
    """Let the broker's next message in; False where none came in time. Raises one of BROKER_ERRORS."""
    try:
        connection.drain_events(timeout=max(seconds, 0.001))
    except socket.timeout:  # noqa: UP041 - eventlet's own is no TimeoutError everywhere
        return False
    return True
