"""How the parts are: all asked at once, with a short time-out; not to answer in time is to be unhealthy.

Services that serve nobody are not asked: each tells the database of itself, wherever it runs.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from shared import logging
from shared.lines import takes_lines
from shared.metrics.queries import silences
from shared.metrics.recording import SILENT_SECONDS
from shared.readiness import READY
from shared.settings import Settings

TIMEOUT_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 3.0
"""How long all of them together may take."""
GOOD_SECONDS: Final = 1.0
SERVICES: Final = ("audit", "intake", "metadata", "relay", "replication", "webhook")
"""Parts that are known by what they tell the database."""
_WITHOUT_DATABASE: Final = {
    "database": "the database does not answer",
    **dict.fromkeys(SERVICES, "nothing is known of it while the database does not answer"),
}
_AMQP_GREETING: Final = b"AMQP\x00\x00\x09\x01"
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-4])\d\d ")
"""An answer that is no fault of the server's: the registry greets whoever has no token with 401."""

Probe = Callable[[], str | None]
"""Asks a part; what is wrong with it, None where nothing is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Asked once for all parts that its answer tells of."""

    ask: Callable[[], Mapping[str, str | None]]
    unanswered: Mapping[str, str]
    """What is wrong with each of them where there is no answer."""


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
    """Asks all parts at once, and at most once a second: strangers may call it as often as they like.

    No question is asked again while the last one hangs.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        questions: Sequence[Question] = (),
        *,
        clock: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._questions = [*(_alone(name, probe) for name, probe in probes.items()), *questions]
        self._pool = ThreadPoolExecutor(max_workers=len(self._questions), thread_name_prefix="health")
        self._asked: dict[int, Future[Mapping[str, str | None]]] = {}
        self._clock = clock
        self._patience = patience
        self._asking = threading.Lock()
        self._told: list[Component] = []
        self._told_at = -inf

    def components(self) -> list[Component]:
        """Every part, by name, as it was a second ago at most; who comes while they are asked waits for that answer."""
        with self._asking:
            if self._clock() - self._told_at >= GOOD_SECONDS:
                found = self._ask()
                self._told = [Component(name=name, problem=found[name]) for name in sorted(found)]
                self._told_at = self._clock()
            return list(self._told)

    def _ask(self) -> dict[str, str | None]:
        for number, question in enumerate(self._questions):
            if number not in self._asked or self._asked[number].done():
                self._asked[number] = self._pool.submit(question.ask)
        wait(self._asked.values(), self._patience)
        found: dict[str, str | None] = {}
        for number, question in enumerate(self._questions):
            found |= _answer(self._asked[number], question)
        return found


def build_health_check(settings: Settings, engine: Engine) -> HealthCheck:
    """The parts that a running instance needs."""
    return HealthCheck(
        {
            "core": lambda: None,
            "broker": lambda: _broker(settings),
            "events": lambda: _any(settings.stream_mounts, READY),
            "proxy": lambda: _http(settings.proxy_status, "/"),
            "registry": lambda: _http(settings.registry, "/v2/"),
            "token": lambda: _any(settings.token_mounts, READY),
            **({} if settings.log_socket is None else {"log": partial(_log, settings.log_socket)}),
        },
        [Question(ask=lambda: _database_and_services(engine), unanswered=_WITHOUT_DATABASE)],
    )


def _alone(name: str, probe: Probe) -> Question:
    return Question(ask=lambda: {name: probe()}, unanswered={name: "no answer in time"})


def _answer(asked: "Future[Mapping[str, str | None]]", question: Question) -> Mapping[str, str | None]:
    if not asked.done():
        return question.unanswered
    error = asked.exception()
    if error is None:
        return asked.result()
    logging.get().error("health.question_failed", exc_info=error)
    return question.unanswered


def _database_and_services(engine: Engine) -> Mapping[str, str | None]:
    try:
        with Session(engine) as session:
            silent = silences(session)
    except SQLAlchemyError:
        return _WITHOUT_DATABASE
    return {"database": None, **{part: judge_silence(silent.get(part)) for part in SERVICES}}


def judge_silence(seconds: float | None) -> str | None:
    """What it says of a service that it has told nothing of itself for so long, or never has."""
    if seconds is None:
        return "it has never told of itself"
    return f"it has told nothing of itself for {seconds:.0f} s" if seconds >= SILENT_SECONDS else None


def _broker(settings: Settings) -> str | None:
    """Any node of it will do."""
    seconds = TIMEOUT_SECONDS / len(settings.brokers)
    authorities = settings.amqp_authorities
    return _first(partial(_greet, authorities, host, port, seconds) for host, port in settings.brokers)


def _greet(authorities: Path | None, host: str, port: int, seconds: float) -> str | None:
    """A broker answers the greeting of AMQP 0-9-1 before anybody has to log in."""
    try:
        with ExitStack() as stack:
            connection = stack.enter_context(socket.create_connection((host, port), seconds))
            connection.settimeout(seconds)
            if authorities:
                context = ssl.create_default_context(cafile=str(authorities))
                connection = stack.enter_context(context.wrap_socket(connection, server_hostname=host))
            connection.sendall(_AMQP_GREETING)
            return None if connection.recv(1) else "the broker hung up"
    except OSError:
        return "the broker does not answer"


def _log(path: Path) -> str | None:
    return None if takes_lines(path) else "the log takes no lines"


def _any(paths: Sequence[Path], target: str) -> str | None:
    """One of several equal servers will do; those that hang leave time for the others."""
    return _first(partial(_http, path, target, TIMEOUT_SECONDS / len(paths)) for path in paths)


def _first(probes: Iterable[Probe]) -> str | None:
    """None as soon as one finds nothing wrong, else what the last one has found."""
    problem = None
    for probe in probes:
        problem = probe()
        if problem is None:
            break
    return problem


def _http(path: Path, target: str, seconds: float = TIMEOUT_SECONDS) -> str | None:
    """A server behind a unix socket answers what it is asked, and not with a fault of its own."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(f"GET {target} HTTP/1.0\r\nHost: health\r\n\r\n".encode())
            return None if _STATUS_LINE.match(connection.recv(16)) else "the answer tells of a fault"
    except OSError:
        return "no answer"
