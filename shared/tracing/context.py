"""Where something stands in a trace, as W3C Trace Context writes it. Pure, but for random numbers.

The sampled flag is believed of our own parts alone: what a client says is at most a parent.
"""

import re
from dataclasses import dataclass, replace
from hashlib import sha256
from random import getrandbits
from typing import Final, Self

HEADER: Final = "traceparent"
"""Of HTTP and of AMQP, and the attribute of a CloudEvent."""

_FORM: Final = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.{0,200})?",
    re.ASCII,
)
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One span's place."""

    trace_id: str
    span_id: str
    sampled: bool

    @classmethod
    def read(cls, text: str | None) -> Self | None:
        """Read a traceparent, also of a later version; None for what is none."""
        match = _FORM.fullmatch(text or "")
        if match is None or (match["version"] == "00" and match["more"]):
            return None
        return cls(match["trace"], match["span"], bool(int(match["flags"], 16) & _SAMPLED))

    @property
    def traceparent(self) -> str:
        """As version 00 writes it."""
        return f"00-{self.trace_id}-{self.span_id}-0{int(self.sampled)}"

    def child(self) -> Self:
        """A new span's place below this one."""
        return replace(self, span_id=new_span_id())


def trace_id_of(request_id: str) -> str:
    """A request's trace: its own id where that is one, as the proxy makes them, else the first half of its SHA-256.

    So whoever knows the one can tell the other, and no part has to remember it.
    """
    return request_id if _TRACE_ID.fullmatch(request_id) else sha256(request_id.encode()).hexdigest()[:32]


def new_span_id() -> str:
    """A random one."""
    return f"{getrandbits(64) or 1:016x}"


def well_formed(traceparent: str | None) -> str:
    """A traceparent in the one form in which it is stored; empty for what is none."""
    context = TraceContext.read(traceparent)
    return context.traceparent if context else ""
