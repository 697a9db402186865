"""How the parts are: all asked at once, with a short time-out; not to answer in time is to be unhealthy."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shared.settings import Settings

TIMEOUT_SECONDS: Final = 2.0
GOOD_SECONDS: Final = 1.0
_AMQP_GREETING: Final = b"AMQP\x00\x00\x09\x01"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-4])\d\d ")
"""An answer that is no fault of the server's: the registry greets whoever has no token with 401."""

Probe = Callable[[], str | None]
"""Asks a part; what is wrong with it, None where nothing is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """A part and how it is."""

    name: str
    problem: str | None

    @property
    def status(self) -> str:
        """Harbor's word."""
        return "unhealthy" if self.problem else "healthy"


class HealthCheck:
    """Asks all parts at once, and at most once a second: strangers may call it as often as they like."""

    def __init__(self, probes: Mapping[str, Probe], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._probes = dict(sorted(probes.items()))
        self._pool = ThreadPoolExecutor(max_workers=2 * len(probes), thread_name_prefix="health")
        self._clock = clock
        self._asking = threading.Lock()
        self._told: list[Component] = []
        self._told_at = -inf

    def components(self) -> list[Component]:
        """Every part, by name, as it was a second ago at most; who comes while they are asked waits for that answer."""
        with self._asking:
            if self._clock() - self._told_at >= GOOD_SECONDS:
                asked = {name: self._pool.submit(probe) for name, probe in self._probes.items()}
                self._told = [Component(name=name, problem=_problem(answer)) for name, answer in asked.items()]
                self._told_at = self._clock()
            return list(self._told)


def build_health_check(settings: Settings, engine: Engine) -> HealthCheck:
    """The parts that a running instance needs."""
    return HealthCheck(
        {
            "core": lambda: None,
            "database": lambda: _database(engine),
            "broker": lambda: _broker(settings),
            "events": lambda: _any(settings.stream_mounts, "/healthz"),
            "registry": lambda: _http(settings.registry, "/v2/"),
            "token": lambda: _any(settings.token_mounts, "/internal/health"),
        }
    )


def _problem(answer: "Future[str | None]") -> str | None:
    try:
        return answer.result(timeout=2 * TIMEOUT_SECONDS)
    except TimeoutError:
        return "no answer in time"


def _database(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "the database does not answer"
    return None


def _broker(settings: Settings) -> str | None:
    """Any node of it will do."""
    problems = [_greet(settings.amqp_authorities, host, port) for host, port in settings.brokers]
    return None if None in problems else problems[0]


def _greet(authorities: Path | None, host: str, port: int) -> str | None:
    """A broker answers the greeting of AMQP 0-9-1 before anybody has to log in."""
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((host, port), TIMEOUT_SECONDS))
            connection.settimeout(TIMEOUT_SECONDS)
            if authorities:
                context = ssl.create_default_context(cafile=str(authorities))
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
            connection.sendall(_AMQP_GREETING)
            return None if connection.recv(1) else "the broker hung up"
    except OSError:
        return "the broker does not answer"


def _any(paths: Sequence[Path], target: str) -> str | None:
    """One of several equal servers will do."""
    problems = [_http(path, target) for path in paths]
    return None if None in problems else problems[0]


def _http(path: Path, target: str) -> str | None:
    """A server behind a unix socket answers what it is asked, and not with a fault of its own."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: health\r\n\r\n".encode())
            return None if _STATUS_LINE.match(connection.recv(16)) else "the answer tells of a fault"
    except OSError:
        return "no answer"
