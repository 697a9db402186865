"""Sends spans to a collector by OTLP over HTTP, from a thread of its own that nobody ever waits for.

The only module that loads OpenTelemetry. What the collector does not take, or what comes faster than it takes it, is
dropped; a line in the log says so once a minute.
"""

import logging as standard
import os
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from threading import Lock
from typing import Any, Final
from uuid import uuid4

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared import logging
from shared.tracing.spans import LONGEST, Span

MOST_WAITING: Final = 2048
AT_ONCE: Final = 256
"""Spans in a request."""
PAUSE_SECONDS: Final = 0.25
"""Between two looks at what waits."""
GATHER_SECONDS: Final = 1.0
"""So long spans are gathered, unless there are enough for a request."""
PATIENCE_SECONDS: Final = 5.0
"""For a request and what the exporter repeats of it."""
END_SECONDS: Final = 2.0
"""A process that ends waits no longer for what it has not sent."""
SILENT_SECONDS: Final = 60.0
NOT_SENT: Final = "traces_not_sent"

_SCOPE: Final = "breakwater"
_ERROR: Final = "error.type"


class Sender:
    """Of one process, and of each that is forked from it: the thread begins with the first span that there is to send.

    It is one of the system's even where all others are green: a collector whose name is not resolved would stop those.
    So it shares with them nothing that could be waited for: no lock, no logger, a deque alone.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        part: str,
        version: str,
        start: Callable[[Callable[[], None]], Any],
        sleep: Callable[[float], None],
    ) -> None:
        self._endpoint = endpoint
        self._version = version
        self._resource = Resource.create({
            "service.namespace": "breakwater", "service.name": f"breakwater-{part}", "service.version": version,
        })  # fmt: skip
        self._start = start
        self._sleep = sleep
        self._waiting: deque[Span] = deque()
        self._dropped = 0
        self._refused = 0
        """As `_under_way`, counted by the thread alone."""
        self._under_way = 0
        self._told = 0
        """Of those two together."""
        self._silent_until = 0.0
        self._process = 0
        """Whose thread it is; 0 where there is none yet."""
        self._beginning = Lock()
        self._ending = False
        self._ended = False
        _be_quiet()

    def keep(self, span: Span) -> None:
        """Take a span that has ended, or drop it where too many wait."""
        if self._process != os.getpid():
            self._begin()
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
        else:
            self._waiting.append(span)
        if self._dropped + self._refused > self._told and time.monotonic() >= self._silent_until:
            self._silent_until = time.monotonic() + SILENT_SECONDS
            self._tell_of(self._dropped + self._refused)

    def close(self) -> None:
        """Send what is left, for two seconds at most, and say how much that was not enough for."""
        if self._process != os.getpid():
            return
        self._ending = True
        deadline = time.monotonic() + END_SECONDS
        while not self._ended and time.monotonic() < deadline:
            time.sleep(0.02)
        self._tell_of(self._dropped + self._refused + len(self._waiting) + self._under_way)

    def _tell_of(self, lost: int) -> None:
        if lost > self._told:
            logging.get().warning(NOT_SENT, spans=lost - self._told, collector=self._endpoint)
            self._told = lost

    def _begin(self) -> None:
        with self._beginning:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            self._waiting.clear()
            try:
                self._exporter = self._new_exporter()
                self._spans = _Spans(self._resource, self._version)
                self._start(self._run)
            except Exception as error:  # noqa: BLE001 - it is somebody's request that ends here
                self._ended = True
                logging.get().error("traces_not_begun", collector=self._endpoint, exc_info=error)

    def _new_exporter(self) -> OTLPSpanExporter:
        session = requests.Session()
        session.trust_env = False  # a proxy, or a password of .netrc, is nothing for this
        trusted = ssl.get_default_verify_paths()
        return OTLPSpanExporter(
            endpoint=f"{self._endpoint.rstrip('/')}/v1/traces",
            certificate_file=trusted.cafile or trusted.capath,  # as all else here, and not requests' own
            timeout=PATIENCE_SECONDS,
            compression=Compression.Gzip,
            session=session,
        )

    def _run(self) -> None:
        last = time.monotonic()
        while not self._ending:
            self._sleep(PAUSE_SECONDS)
            if len(self._waiting) >= AT_ONCE or time.monotonic() - last >= GATHER_SECONDS:
                self._send()
                last = time.monotonic()
        self._send()
        self._ended = True

    def _send(self) -> None:
        """Send all that waits; where the collector takes nothing, the rest waits for the next time."""
        while batch := list(islice(self._take(), AT_ONCE)):
            self._under_way = len(batch)
            taken = self._export(batch)
            self._under_way = 0
            if not taken:
                self._refused += len(batch)
                return

    def _export(self, batch: list[Span]) -> bool:
        try:
            return self._exporter.export(self._spans.of(batch)) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - whatever it is, it is counted, and the thread goes on
            return False

    def _take(self) -> Iterator[Span]:
        while self._waiting:
            yield self._waiting.popleft()


class _Spans(SpanProcessor, IdGenerator):
    """Makes OpenTelemetry's spans of ours, with the ids that they have already."""

    def __init__(self, resource: Resource, version: str) -> None:
        provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource.merge(Resource({"service.instance.id": str(uuid4())})),
            id_generator=self,
            span_limits=SpanLimits(max_span_attributes=32, max_attribute_length=LONGEST),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self)
        self._tracer = provider.get_tracer(_SCOPE, version)
        self._next = (0, 0)
        self._made: list[ReadableSpan] = []

    def of(self, spans: list[Span]) -> list[ReadableSpan]:
        """The same spans, as the exporter takes them."""
        self._made = []
        for span in spans:
            self._make(span)
        return self._made

    def on_end(self, span: ReadableSpan) -> None:
        """As SpanProcessor says."""
        self._made.append(span)

    def generate_trace_id(self) -> int:
        """As IdGenerator says."""
        return self._next[0]

    def generate_span_id(self) -> int:
        """As IdGenerator says."""
        return self._next[1]

    def _make(self, span: Span) -> None:
        trace_id = int(span.context.trace_id, 16)
        self._next = (trace_id, int(span.context.span_id, 16))
        above = Context()
        if span.parent is not None:
            parent = SpanContext(
                trace_id, int(span.parent, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
            )
            above = set_span_in_context(NonRecordingSpan(parent), above)
        attributes = {**span.attributes, **({_ERROR: span.error} if span.error else {})}
        made = self._tracer.start_span(
            span.name, above, SpanKind[span.kind.name], attributes, start_time=span.begun
        )
        if span.error:
            made.set_status(Status(StatusCode.ERROR))
        made.end(span.ended)


def _be_quiet() -> None:
    """What the libraries have to say of a collector is said here, once a minute: they would say it for each request.

    It would be said in the sender's thread, too, where it could wait for a lock that a green thread holds.
    """
    for name in list(standard.root.manager.loggerDict):
        if name.partition(".")[0] in {"opentelemetry", "urllib3", "requests"}:
            logger = standard.getLogger(name)
            if name.startswith("opentelemetry"):
                logger.disabled = True
            logger.isEnabledFor(standard.DEBUG)  # remembered from now on, without a lock
