"""Component events: the way of an event from its cause to the consumers, and what waits at each step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family, gauge
from gateway.core.metrics.figures import families_of, family_of
from services.webhook.queries.parked import count_parked
from shared.auth.roles import Permission
from shared.events.catalogue import DEFINITIONS
from shared.messaging.depths import QueueDepth
from shared.messaging.topology import CONSUMERS
from shared.metrics.figures import BATCH_SECONDS, CONSUMED, DELIVERIES, HANDLED_THROUGH, NOTIFICATIONS, PUBLISHED
from shared.metrics.queries import Position, Wait, backlog, waits

UNNUMBERED: Final = gauge(
    "outbox_events", "Events that are committed and that the relay has not numbered yet; counted up to 100,000."
)
UNNUMBERED_AGE: Final = gauge("outbox_oldest_seconds", "Since when the oldest of these waits; 0 where none does.")
SEQUENCE: Final = gauge(
    "event_sequence", "The highest number of an event: given by the relay, and confirmed by the broker.", "step"
)
UNPUBLISHED_AGE: Final = gauge(
    "unpublished_oldest_seconds",
    "Since when the oldest event waits that is numbered and not confirmed by the broker; 0 where none does.",
)
PARKED: Final = gauge("parked_notifications", "Notifications of the registry that could not be accepted.")
MESSAGES: Final = gauge(
    "queue_messages",
    "Messages for a consumer: waiting in its queue, retrying after a failure, or dead. Those that it has in hand are "
    "not among them.",
    "queue",
    "state",
)
CONSUMING: Final = gauge("queue_consumers", "Processes that take from a queue.", "queue")
LAG: Final = gauge(
    "consumer_lag_seconds",
    "Since when the oldest published event waits that its consumer has not settled; 0 where none does. Consumers tell "
    "how far they are every fifteen seconds: so much is no lag.",
    "queue",
)
_FIGURES: Final = (NOTIFICATIONS, PUBLISHED, CONSUMED, BATCH_SECONDS, HANDLED_THROUGH, DELIVERIES)
_TYPES: Final = {
    consumer.queue: tuple(each.type for each in DEFINITIONS if consumer.listens_to(each.noun, each.verb))
    for consumer in CONSUMERS
}


class EventMetrics:
    """Component events."""

    asks_parts = True
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = (
        UNNUMBERED,
        UNNUMBERED_AGE,
        SEQUENCE,
        UNPUBLISHED_AGE,
        PARKED,
        MESSAGES,
        CONSUMING,
        LAG,
        *(family_of(each) for each in _FIGURES),
    )

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """Of queues nothing is told while the broker is away, of lags what the database knows."""
        waiting = backlog(scrape.session)
        yield UNNUMBERED.value(waiting.unnumbered)
        yield UNNUMBERED_AGE.value(waiting.unnumbered_seconds)
        yield SEQUENCE.told(
            [(("numbered",), waiting.numbered_through), (("published",), waiting.published_through)]
        )
        yield UNPUBLISHED_AGE.value(waiting.unpublished_seconds)
        yield PARKED.value(count_parked(scrape.session))
        yield from families_of(_FIGURES, scrape.told)
        lags = _lags(scrape)
        # the last statement is done: from here on nothing but the parts' answers is waited for
        queues = {each.queue: each for each in scrape.findings.queues or ()}
        yield MESSAGES.told(
            ((queue, state), number)
            for queue, depth in queues.items()
            for state, number in (("waiting", depth.waiting), ("retrying", depth.retrying), ("dead", depth.dead))
        )
        yield CONSUMING.told(((queue,), depth.consumers) for queue, depth in queues.items())
        yield LAG.told(((queue,), _seconds(wait, queues.get(queue))) for queue, wait in lags.items())


def _lags(scrape: Scrape) -> Mapping[str, Wait | None]:
    """Of each consumer that has ever told how far it is."""
    positions = [
        Position(part=each.part, handled=int(each.value), types=_TYPES[each.part])
        for each in scrape.told
        if each.name == HANDLED_THROUGH.name and each.part in _TYPES
    ]
    return waits(scrape.session, positions)


def _seconds(wait: Wait | None, depth: QueueDepth | None) -> float:
    """Where only events of others were found behind the position, an empty queue says that there are none of his."""
    if wait is None or (not wait.is_known and depth is not None and depth.waiting == 0):
        return 0.0
    return wait.seconds
