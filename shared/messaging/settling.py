"""What becomes of a message that a consumer could not settle: tried again later, or put among the dead letters.

Pure. Headers say why in a code and a sentence; the text of foreign exceptions, which may hold secrets, is left out.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from shared.errors import BreakwaterError
from shared.messaging.publish import Outgoing
from shared.messaging.topology import DELAYS, Consumer
from shared.tracing.context import HEADER

ATTEMPTS: Final = "x-breakwater-attempts"
ERROR_CODE: Final = "x-breakwater-error-code"
ERROR_SENTENCE: Final = "x-breakwater-error"
FAILED_AT: Final = "x-breakwater-failed-at"
ROUTING_KEY: Final = "x-breakwater-routing-key"

MOST_ATTEMPTS: Final = 1 + len(DELAYS)
_KEPT_PROPERTIES: Final = ("content_type", "message_id", "type", "timestamp", "app_id")
_LONGEST_SENTENCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message as the broker gave it."""

    tag: int
    body: bytes
    routing_key: str = ""
    headers: dict[str, Any] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, message: Any) -> "Delivery":  # noqa: ANN401 - py-amqp has no types
        """Read py-amqp's message."""
        body = message.body
        properties = dict(message.properties)
        headers = dict(properties.get("application_headers") or {})
        return cls(
            tag=message.delivery_info["delivery_tag"],
            body=body.encode() if isinstance(body, str) else bytes(body),
            routing_key=str(headers.get(ROUTING_KEY) or message.delivery_info["routing_key"]),
            headers=headers,
            properties={name: properties[name] for name in _KEPT_PROPERTIES if name in properties},
        )

    @property
    def traceparent(self) -> str | None:
        """Where in a trace it was published; None where that is not told."""
        told = self.headers.get(HEADER)
        return told if isinstance(told, str) else None

    @property
    def attempts(self) -> int:
        """How often it has failed so far."""
        counted = self.headers.get(ATTEMPTS, 0)
        return counted if isinstance(counted, int) and counted >= 0 else 0


def after_failure(consumer: Consumer, delivery: Delivery, error: Exception, *, now: datetime) -> Outgoing:
    """The next attempt after its delay, or the dead letter where attempts are used up."""
    attempts = delivery.attempts + 1
    if attempts >= MOST_ATTEMPTS:
        return _outgoing(consumer.dead_letters, "", delivery, error, attempts, now)
    delay = DELAYS[attempts - 1]
    return _outgoing(consumer.retry_exchange, delay.name, delivery, error, attempts, now)


def dead_letter(consumer: Consumer, delivery: Delivery, error: Exception, *, now: datetime) -> Outgoing:
    """The dead letter at once: no attempt will ever read this message."""
    return _outgoing(consumer.dead_letters, "", delivery, error, delivery.attempts + 1, now)


def reason(error: Exception) -> tuple[str, str]:
    """A code and a sentence for an error, without the text of errors that are not our own."""
    if isinstance(error, BreakwaterError):
        return error.code, error.sentence[:_LONGEST_SENTENCE]
    return type(error).__name__, "the service failed on this event: its log tells more"


def _outgoing(
    exchange: str, routing_key: str, delivery: Delivery, error: Exception, attempts: int, now: datetime
) -> Outgoing:
    code, sentence = reason(error)
    headers = {
        ATTEMPTS: attempts,
        ERROR_CODE: code,
        ERROR_SENTENCE: sentence,
        FAILED_AT: now.isoformat(timespec="milliseconds"),
        ROUTING_KEY: delivery.routing_key,
        **({HEADER: delivery.traceparent} if delivery.traceparent else {}),
    }
    return Outgoing(
        exchange=exchange,
        routing_key=routing_key,
        body=delivery.body,
        properties={**delivery.properties, "application_headers": headers},
    )
