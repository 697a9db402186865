"""The tracer of this process, and the span that the work at hand belongs to.

An entry point begins it, as it sets logging up. Where no collector is set there is none, and nothing to be done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from threading import Thread
from typing import Any, Final, Protocol

from shared.settings import Settings
from shared.tracing.context import HEADER
from shared.tracing.spans import Attribute, Kind, Span, Tracer
from shared.version import VERSION

_FAILED: Final = 400
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Start = Callable[[Callable[[], None]], Any]


class _Sends(Protocol):
    def close(self) -> None: ...


@dataclass
class _Process:
    """What begin() makes and end() takes away."""

    tracer: Tracer | None = None
    sender: _Sends | None = None


_process: Final = _Process()
_at_hand: Final[ContextVar[Span | None]] = ContextVar("breakwater_span", default=None)


def _in_a_thread(function: Callable[[], None]) -> None:
    Thread(target=function, name="traces", daemon=True).start()


def begin(settings: Settings, *, start: Start = _in_a_thread, sleep: Callable[[float], None] = time.sleep) -> None:
    """Trace from now on what this process does, and those that are forked from it, where a collector is set.

    `start` and `sleep` are of the system's threads: where all others are green, they are not Python's own.
    """
    if settings.traces_endpoint is None or _process.sender is not None:
        return
    sending = import_module("shared.tracing.sending")  # OpenTelemetry takes 10 MB, and is loaded by nobody else
    sender = sending.Sender(
        str(settings.traces_endpoint), part=settings.part, version=VERSION, start=start, sleep=sleep
    )
    _process.sender, _process.tracer = sender, Tracer(sender.keep, ratio=settings.traces_ratio)


def end() -> None:
    """Send what is left, for two seconds at most, and trace no more."""
    sender, _process.sender, _process.tracer = _process.sender, None, None
    if sender is not None:
        sender.close()


def tracer() -> Tracer | None:
    """Who begins spans here; None where nothing is traced."""
    return _process.tracer


def at_hand() -> Span | None:
    """What the work at hand belongs to; None where that is not traced."""
    return _at_hand.get()


@contextmanager
def within(span: Span | None) -> Iterator[None]:
    """Have what is done here belong to a span; to none where that is None. It is not ended."""
    token = _at_hand.set(span)
    try:
        yield
    finally:
        _at_hand.reset(token)


@dataclass(slots=True)
class Call:
    """A request that is sent on behalf of the work at hand."""

    headers: dict[str, str] = field(default_factory=dict)
    """What tells its receiver of the trace; empty where there is none."""
    status: int = 0


_UNTRACED: Final = nullcontext(Call())
"""For whatever is not traced, all at once: nobody reads the status of it."""


def calling(method: str, url: str, host: str, port: int | None = None) -> AbstractContextManager[Call]:
    """A request to another process or another registry: it is sent with the call's headers, and told the status.

    Of the URL, which is a path alone where it goes to a socket, the query is left out; a name and a password may not be
    in it.
    """
    above, here = _at_hand.get(), _process.tracer
    if above is None or here is None:
        return _UNTRACED
    return _calling(here, above, method, url, host, port)


@contextmanager
def _calling(here: Tracer, above: Span, method: str, url: str, host: str, port: int | None) -> Iterator[Call]:
    call = Call()
    attributes: dict[str, Attribute] = {
        "http.request.method": method_of(method),
        "server.address": host,
        "url.full" if "://" in url else "url.path": url.partition("?")[0],
    }
    if port is not None:
        attributes["server.port"] = port
    span = here.below(above.context, method_of(method), Kind.CLIENT, attributes)
    call.headers[HEADER] = span.traceparent
    error = "_OTHER"
    try:
        yield call
        error = str(call.status) if call.status >= _FAILED else ""
    except Exception as raised:
        error = type(raised).__name__
        raise
    finally:
        span.end({"http.response.status_code": call.status} if call.status else {}, error=error)


def method_of(method: str) -> str:
    """A method as the conventions name it: those that clients make up are one."""
    return method if method in _METHODS else "_OTHER"
