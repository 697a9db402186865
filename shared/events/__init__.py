"""The event vocabulary: typed definitions, the envelope, and the outbox they are written to."""

from shared.events.envelope import Actor, ActorKind, Envelope, EventContext
from shared.events.event import Event, InvalidEvent, Visibility
from shared.events.outbox import emit, emit_all, emit_raw

__all__ = [
    "Actor",
    "ActorKind",
    "Envelope",
    "Event",
    "EventContext",
    "InvalidEvent",
    "Visibility",
    "emit",
    "emit_all",
    "emit_raw",
]
