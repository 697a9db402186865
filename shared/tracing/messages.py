"""Spans of messages: an event is made, published, and dealt with by each of its consumers.

Follows the semantic conventions for messaging, RabbitMQ's and CloudEvents' among them. A batch has a span for each of
its events: each belongs to another trace.
"""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from shared.tracing.context import TraceContext
from shared.tracing.current import tracer
from shared.tracing.spans import Attribute, Kind, Span

_SYSTEM: Final[Mapping[str, Attribute]] = {"messaging.system": "rabbitmq"}


def publishing(
    traceparent: str | None, *, exchange: str, routing_key: str, event_id: UUID, event_type: str, batch: int
) -> Span | None:
    """An event on its way to the broker; None where nothing is traced, or not this event."""
    here = tracer()
    if here is None:
        return None
    return here.after(traceparent, f"publish {exchange}", Kind.PRODUCER, {
        **_SYSTEM,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": f"{exchange}:{routing_key}",
        "messaging.rabbitmq.destination.routing_key": routing_key,
        **_event(event_id, event_type, batch),
    })  # fmt: skip


def processing(
    traceparent: str | None, *, queue: str, routing_key: str, event_id: UUID, event_type: str, batch: int, attempt: int
) -> Span | None:
    """An event in the hands of a consumer; None where nothing is traced, or not this event."""
    here = tracer()
    if here is None:
        return None
    return here.after(traceparent, f"process {queue}", Kind.CONSUMER, {
        **_SYSTEM,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": queue,
        "messaging.rabbitmq.destination.routing_key": routing_key,
        **_event(event_id, event_type, batch),
        "breakwater.attempt": attempt,
    })  # fmt: skip


def making(request_id: str | None, *, event_id: UUID, event_type: str) -> Span | None:
    """An event that is made of what another process tells; None where nothing is traced.

    It begins the trace of its request, unless it is told to follow what is known of that already.
    """
    here = tracer()
    if here is None or not request_id:
        return None
    return here.root(
        "create event", Kind.PRODUCER,
        {"messaging.operation.name": "create", "messaging.operation.type": "create", **_event(event_id, event_type, 1)},
        request_id=request_id,
    )  # fmt: skip


def follow(span: Span, traceparent: str | None) -> None:
    """Have a span belong to a trace that was found out late; where there is none it stays where it is."""
    parent = TraceContext.read(traceparent)
    if parent is not None:
        span.follow(parent)


def _event(event_id: UUID, event_type: str, batch: int) -> Mapping[str, Attribute]:
    return {
        "messaging.message.id": str(event_id),
        "messaging.batch.message_count": batch,
        "cloudevents.event_id": str(event_id),
        "cloudevents.event_type": event_type,
    }
