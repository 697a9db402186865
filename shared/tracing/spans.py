"""Spans: begun and ended where the work is done, and handed to whoever sends them. Nothing here waits.

Attributes follow OpenTelemetry's semantic conventions. None may hold a secret: no query, no body, no header of a client
but the name it gives itself, no text of an exception.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.tracing.context import TraceContext, new_span_id, trace_id_of

LONGEST: Final = 256
"""Characters of a text among the attributes: what clients send ends up in it."""
REQUEST_ID: Final = "breakwater.request_id"

Attribute = str | int


class Kind(StrEnum):
    """What a span is to those of other processes."""

    SERVER = "server"
    """Answers a request."""
    CLIENT = "client"
    """Sends a request, and waits for the answer."""
    PRODUCER = "producer"
    """Makes or sends a message."""
    CONSUMER = "consumer"
    """Deals with a message."""
    INTERNAL = "internal"
    """None of these."""


@dataclass(eq=False, kw_only=True, slots=True)
class Span:
    """A piece of work. One that is not sampled is ended like any other, and then forgotten."""

    name: str
    kind: Kind
    context: TraceContext
    parent: str | None
    """The span id of what it follows from; None at the beginning of a trace."""
    keep: Callable[["Span"], None]
    attributes: dict[str, Attribute] = field(default_factory=dict)
    begun: int = field(default_factory=time.time_ns)
    """As `ended`: nanoseconds since 1970."""
    ended: int = 0
    error: str = ""
    """What went wrong, as a code or a class; empty where nothing did."""

    @property
    def traceparent(self) -> str:
        """What tells others that they follow from this."""
        return self.context.traceparent

    def follow(self, parent: TraceContext) -> None:
        """Belong to another trace after all, below another span; its own id stays."""
        self.context = TraceContext(parent.trace_id, self.context.span_id, parent.sampled)
        self.parent = parent.span_id

    def end(self, attributes: Mapping[str, Attribute] = MappingProxyType({}), *, error: str = "") -> None:
        """It is done, and this is what is known only now."""
        self.error = error
        self.attributes.update(attributes)
        self.ended = time.time_ns()
        if self.context.sampled:
            self.keep(self)


class Tracer:
    """Begins spans. Whether a trace is kept is decided at its beginning, by chance alone, and told to all that follow.

    So nobody outside can have a trace kept, or keep one from being kept.
    """

    def __init__(self, keep: Callable[[Span], None], *, ratio: float) -> None:
        self._keep = keep
        self._ratio = ratio

    def request(
        self, name: str, request_id: str | None, traceparent: str | None, attributes: Mapping[str, Attribute]
    ) -> Span:
        """The span of a request: below the client's own, in the client's trace, where he names one.

        The proxy numbers whatever passes it: what has no number comes from one of our own parts, and is believed.
        """
        span = self.root(name, Kind.SERVER, attributes, request_id=request_id)
        client = TraceContext.read(traceparent)
        if client is not None:
            span.follow(client if request_id is None else replace(client, sampled=span.context.sampled))
        return span

    def root(
        self, name: str, kind: Kind, attributes: Mapping[str, Attribute], *, request_id: str | None = None
    ) -> Span:
        """The first span of a request's trace, or of one that no request has begun."""
        trace_id = trace_id_of(request_id) if request_id else f"{random.getrandbits(128) or 1:032x}"
        context = TraceContext(trace_id, new_span_id(), random.random() < self._ratio)
        known: dict[str, Attribute] = {REQUEST_ID: request_id[:LONGEST]} if request_id else {}
        return Span(
            name=name, kind=kind, context=context, parent=None, keep=self._keep, attributes={**attributes, **known}
        )

    def below(self, parent: TraceContext, name: str, kind: Kind, attributes: Mapping[str, Attribute]) -> Span:
        """A span that follows from another one."""
        return Span(
            name=name,
            kind=kind,
            context=parent.child(),
            parent=parent.span_id,
            keep=self._keep,
            attributes=dict(attributes),
        )

    def after(
        self, traceparent: str | None, name: str, kind: Kind, attributes: Mapping[str, Attribute]
    ) -> Span | None:
        """The same, of what one of our own parts has written down; None where that was no part of a trace."""
        parent = TraceContext.read(traceparent)
        return self.below(parent, name, kind, attributes) if parent else None
