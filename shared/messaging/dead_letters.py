"""Dead letters: listed with their reasons, sent back to their queue, or thrown away, by an operator."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Final

from shared.errors import NotFound
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.settling import ATTEMPTS, ERROR_CODE, ERROR_SENTENCE, FAILED_AT, Delivery
from shared.messaging.topology import AT_ONCE, Consumer
from shared.tracing.context import HEADER

MOST_READ: Final = 1_000
"""How many are looked at in one go, from the oldest; sent back where none is named are all."""
PUT_BACK_SECONDS: Final = 5
_UNSPECIFIED: Final = "the broker gave it up after too many deliveries"


class NoSuchDeadLetter(NotFound):
    """None of the dead letters has this id."""

    default = "no dead letter has this id"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A message that no attempt could settle."""

    id: str
    """The event's id; for what is no event, a digest of its body."""
    queue: str
    routing_key: str
    code: str
    reason: str
    attempts: int
    failed_at: str
    body: bytes


@dataclass(kw_only=True, slots=True)
class Tally:
    """How many letters are settled so far: it tells also where the broker goes away in the middle."""

    count: int = 0


def list_dead_letters(connection: Any, consumer: Consumer) -> list[DeadLetter]:  # noqa: ANN401 - py-amqp has no types
    """The oldest first, at most MOST_READ; they stay where they are."""
    channel = connection.channel()
    letters = [_letter(consumer, delivery) for delivery in _read(channel, consumer, most=MOST_READ)]
    _put_back(connection, channel, consumer, len(letters))
    return letters


def redrive(
    connection: Any,  # noqa: ANN401 - py-amqp has no types
    consumer: Consumer,
    ids: Collection[str] | None,
    *,
    tally: Tally | None = None,
) -> int:
    """Send the letters of these ids, or all, back to their queue with all attempts before them; returns how many.

    Raises NoSuchDeadLetter before anything is sent. Each is published and confirmed before it is taken off.
    """
    publisher = Publisher(connection)

    def send_back(delivery: Delivery) -> None:
        publisher.publish([_again(consumer, delivery)])

    tally = tally or Tally()
    if ids is None:
        return _take_all_off(connection, consumer, send_back, tally)
    return _take_off(connection, consumer, ids, send_back, tally)


def discard(
    connection: Any,  # noqa: ANN401 - py-amqp has no types
    consumer: Consumer,
    ids: Collection[str],
    *,
    tally: Tally | None = None,
) -> int:
    """Throw the letters of these ids away; returns how many. Raises NoSuchDeadLetter before anything is lost."""
    return _take_off(connection, consumer, ids, lambda _delivery: None, tally or Tally())


def _take_all_off(
    connection: Any,  # noqa: ANN401 - py-amqp has no types
    consumer: Consumer,
    first: Callable[[Delivery], None],
    tally: Tally,
) -> int:
    """However many there are now; those that come back meanwhile are behind them, and stay."""
    channel = connection.channel()
    for delivery in _read(channel, consumer, most=None):
        _settle(channel, delivery, first, tally)
    channel.close()
    return tally.count


def _take_off(
    connection: Any,  # noqa: ANN401 - py-amqp has no types
    consumer: Consumer,
    ids: Collection[str],
    first: Callable[[Delivery], None],
    tally: Tally,
) -> int:
    channel = connection.channel()
    deliveries = list(_read(channel, consumer, most=MOST_READ))
    chosen = [each for each in deliveries if _id(each) in ids]
    missing = set(ids) - {_id(each) for each in chosen}
    if missing:
        _put_back(connection, channel, consumer, len(deliveries))
        raise NoSuchDeadLetter(f"no dead letter of {consumer.queue} has the id {min(missing)}")
    for delivery in chosen:
        _settle(channel, delivery, first, tally)
    channel.close()
    return tally.count


def _settle(channel: Any, delivery: Delivery, first: Callable[[Delivery], None], tally: Tally) -> None:  # noqa: ANN401 - py-amqp has no types
    """Do what comes first, and take the letter off; from then on it counts."""
    first(delivery)
    channel.basic_ack(delivery.tag)
    tally.count += 1


def _read(channel: Any, consumer: Consumer, *, most: int | None) -> Iterator[Delivery]:  # noqa: ANN401 - py-amqp has no types
    """What is there now, from the oldest; what is not acknowledged goes back when the channel closes."""
    channel.auto_decode = False
    waiting = channel.queue_declare(consumer.dead_letters, passive=True).message_count
    for _ in range(waiting if most is None else min(waiting, most)):
        message = channel.basic_get(consumer.dead_letters)
        if message is None:
            return
        yield Delivery.of(message)


def _put_back(connection: Any, channel: Any, consumer: Consumer, read: int) -> None:  # noqa: ANN401 - py-amqp has no types
    """Close the channel and wait until what it had read is there again: a quorum queue takes it back in its own time.

    Whoever lists and then sends back must find what was listed.
    """
    channel.close()
    fresh = connection.channel()
    deadline = monotonic() + PUT_BACK_SECONDS
    while fresh.queue_declare(consumer.dead_letters, passive=True).message_count < read and monotonic() < deadline:
        sleep(0.02)
    fresh.close()


def _letter(consumer: Consumer, delivery: Delivery) -> DeadLetter:
    headers = delivery.headers
    return DeadLetter(
        id=_id(delivery),
        queue=consumer.queue,
        routing_key=delivery.routing_key,
        code=str(headers.get(ERROR_CODE, "DELIVERY_LIMIT")),
        reason=str(headers.get(ERROR_SENTENCE, _UNSPECIFIED)),
        attempts=delivery.attempts,
        failed_at=str(headers.get(FAILED_AT, "")),
        body=delivery.body,
    )


def _again(consumer: Consumer, delivery: Delivery) -> Outgoing:
    kept = {
        name: value
        for name, value in delivery.headers.items()
        if name.startswith("x-breakwater-") or name == HEADER
    }
    for name in (ATTEMPTS, ERROR_CODE, ERROR_SENTENCE, FAILED_AT):
        kept.pop(name, None)
    return Outgoing(
        exchange=consumer.retry_exchange,
        routing_key=AT_ONCE,
        body=delivery.body,
        properties={**delivery.properties, "application_headers": kept},
    )


def _id(delivery: Delivery) -> str:
    return str(delivery.properties.get("message_id") or hashlib.sha256(delivery.body).hexdigest()[:16])
