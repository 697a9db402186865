"""How much waits on the broker: asked of it queue by queue, by whoever may connect at all."""

from dataclasses import dataclass
from typing import Any

from shared.messaging.topology import CONSUMERS, DELAYS, Consumer


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueDepth:
    """One consumer's queue, and those that hang on it."""

    queue: str
    waiting: int
    consumers: int
    """Processes that take from it now."""
    retrying: int
    """Messages that failed, and wait for their next attempt."""
    dead: int
    """Messages that no attempt could settle."""


def queue_depths(connection: Any) -> list[QueueDepth]:  # noqa: ANN401 - py-amqp has no types
    """Every catalogued consumer's. Raises one of BROKER_ERRORS."""
    channel = connection.channel()
    depths = [queue_depth(channel, consumer) for consumer in CONSUMERS]
    channel.close()
    return depths


def queue_depth(channel: Any, consumer: Consumer) -> QueueDepth:  # noqa: ANN401 - py-amqp has no types
    """One consumer's. Raises one of BROKER_ERRORS; where a queue is not there the channel is of no more use."""
    own = channel.queue_declare(consumer.queue, passive=True)
    return QueueDepth(
        queue=consumer.queue,
        waiting=own.message_count,
        consumers=own.consumer_count,
        retrying=sum(
            channel.queue_declare(consumer.retry_queue(delay), passive=True).message_count for delay in DELAYS
        ),
        dead=channel.queue_declare(consumer.dead_letters, passive=True).message_count,
    )
