"""Asking the parts that tell the database nothing: registry, proxy and broker, all at once, for less than a second.

Who does not answer in time is down for this scrape. No question is asked again while the last one hangs, nor waited for
longer than once.
"""

import re
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

from shared import logging
from shared.errors import ConfigurationError
from shared.messaging.connection import BROKER_ERRORS, connected
from shared.messaging.depths import QueueDepth, queue_depths
from shared.settings import Settings

PATIENCE_SECONDS: Final = 0.7
_ANSWER_SECONDS: Final = 2.0
_SERVER_FAULT: Final = 500
_STATUS: Final = re.compile(
    r"Active connections: \d+\s+server accepts handled requests\s+(?P<accepted>\d+) (?P<handled>\d+) (?P<requests>\d+)"
    r"\s+Reading: (?P<reading>\d+) Writing: (?P<writing>\d+) Waiting: (?P<waiting>\d+)\s*"
)
_ERRORS: Final = (HTTPException, ConfigurationError, *BROKER_ERRORS)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProxyStatus:
    """nginx's own numbers."""

    accepted: int
    handled: int
    requests: int
    reading: int
    writing: int
    waiting: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was answered; what is None or false was not."""

    registry: bool
    proxy: ProxyStatus | None
    queues: tuple[QueueDepth, ...] | None
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each part took that has answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """A question, and when it was asked."""

    answer: "Future[_Answer]"
    at: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Answer:
    """What was found, and how long that took."""

    found: Any
    seconds: float = 0.0


class Questions:
    """Of one scrape: they are under way while it reads the database."""

    def __init__(self, asked: Mapping[str, _Asked], patience: float) -> None:
        self._asked = asked
        self._patience = patience

    def findings(self) -> Findings:
        """Wait for the answers; for one that was asked for by an earlier scrape so much the less."""
        for each in self._asked.values():
            wait([each.answer], max(0.0, each.at + self._patience - monotonic()))
        answers = {part: _answer(each.answer) for part, each in self._asked.items()}
        return Findings(
            registry=bool(answers["registry"].found),
            proxy=answers["proxy"].found,
            queues=answers["rabbitmq"].found,
            seconds={part: each.seconds for part, each in answers.items() if each.found},
        )


class Prober:
    """Of one process; its pool bounds what hanging parts can cost."""

    def __init__(self, settings: Settings, *, patience: float = PATIENCE_SECONDS) -> None:
        self._questions: Final[Mapping[str, Callable[[], Any]]] = {
            "registry": lambda: _registry(settings.registry),
            "proxy": lambda: _proxy(settings.proxy_status),
            "rabbitmq": lambda: _queues(settings),
        }
        self._patience = patience
        self._pool = ThreadPoolExecutor(max_workers=len(self._questions), thread_name_prefix="metrics")
        self._asked: dict[str, _Asked] = {}
        self._lock = Lock()

    def ask(self) -> Questions:
        """Ask all of them, and wait for none."""
        with self._lock:
            for name, question in self._questions.items():
                if name not in self._asked or self._asked[name].answer.done():
                    self._asked[name] = _Asked(answer=self._pool.submit(_timed, question), at=monotonic())
            return Questions(dict(self._asked), self._patience)


def _timed(question: Callable[[], Any]) -> _Answer:
    begun = monotonic()
    found = question()
    return _Answer(found=found, seconds=monotonic() - begun)


def _answer(asked: "Future[_Answer]") -> _Answer:
    if not asked.done():
        return _Answer(found=None)
    error = asked.exception()
    if error is not None and not isinstance(error, _ERRORS):
        logging.get().error("metrics.probe_failed", exc_info=error)
    return _Answer(found=None) if error else asked.result()


def _registry(path: Path) -> bool:
    """It greets whoever has no token with 401, which is well."""
    return _get(path, "/v2/")[0] < _SERVER_FAULT


def _proxy(path: Path) -> ProxyStatus | None:
    found = _STATUS.fullmatch(_get(path, "/")[1].decode("latin-1"))
    return ProxyStatus(**{name: int(number) for name, number in found.groupdict().items()}) if found else None


def _queues(settings: Settings) -> tuple[QueueDepth, ...]:
    with connected(settings) as connection:
        connection.transport.sock.settimeout(_ANSWER_SECONDS)
        return tuple(queue_depths(connection))


def _get(path: Path, target: str) -> tuple[int, bytes]:
    """The status and the body that are answered at a socket. Raises OSError, HTTPException."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(path))
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: metrics\r\n\r\n".encode())
        with HTTPResponse(connection) as answer:
            answer.begin()
            return answer.status, answer.read(4096)
