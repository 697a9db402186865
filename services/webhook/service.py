"""The relay: numbers the outbox into the log, and publishes the log to the broker in that order.

Each of the two holds an advisory lock on the very connection it works on, so there is one of each in the whole
instance, and whoever loses the lock can do no more. Numbering never waits for the broker.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

import psycopg

from services.webhook.commands import outbox
from services.webhook.queries.log import Logged, published_through, unpublished
from shared import logging
from shared.messaging.connection import drain, noted
from shared.messaging.dependencies import Configured, Counting, Noting
from shared.messaging.forever import Stopping, every, forever
from shared.messaging.note import Note
from shared.messaging.publish import NotPublished, Outgoing, Publisher
from shared.messaging.topology import EVENTS, QUEUES
from shared.metrics.figures import PUBLISHED
from shared.metrics.tally import Tally
from shared.postgres import connect, unavailable_when_down
from shared.settings import Settings
from shared.tracing.context import HEADER
from shared.tracing.messages import publishing
from shared.tracing.spans import Span

NUMBERING_LOCK: Final = 7_302_011
PUBLISHING_LOCK: Final = 7_302_012

NUMBERED_AT_ONCE: Final = 1_000
PUBLISHED_AT_ONCE: Final = 500
POLL_SECONDS: Final = 0.5
"""Where NOTIFY does not come through, behind some poolers, this is the delay."""
PACE_SECONDS: Final = 0.02
"""Between two numberings at least: a lone event is passed on at once, many come together and cost less each."""
AWAKE_SECONDS: Final = 0.25
"""Since the last event: so long it looks by itself, and nobody who writes to the outbox needs to wake it."""
COMMIT_SECONDS: Final = 0.05
"""For those to commit who saw it awake while it fell asleep, before it looks for the last time."""
UPKEEP_SECONDS: Final = 600
CONTENT_TYPE: Final = "application/cloudevents+json"


class RelayService:
    """One numbering loop, one publishing loop, and the log's upkeep."""

    name = "relay"
    settings = Configured()
    tally: Tally = Counting()
    note: Note = Noting()

    @forever
    def number(self, stopping: Stopping) -> None:
        """Move what is committed in the outbox into the numbered log, as soon as it is."""
        with _elected(self.settings, NUMBERING_LOCK, stopping) as database:
            outbox.prepare_log(database)
            database.execute("LISTEN breakwater_outbox")
            awake, tired_at = False, 0.0
            while not stopping:
                numbered = outbox.number(database, most=NUMBERED_AT_ONCE)
                if numbered.moved:
                    tired_at = monotonic() + AWAKE_SECONDS
                    awake = awake or outbox.stay_awake(database)
                elif awake and monotonic() > tired_at:
                    outbox.fall_asleep(database)
                    awake = False
                    stopping.wait(COMMIT_SECONDS)
                    continue
                if awake or numbered.held:
                    stopping.wait(PACE_SECONDS)
                else:
                    _await_notify(database)

    @forever
    def publish(self, stopping: Stopping) -> None:
        """Publish what is numbered, in order, and remember how far the broker has confirmed."""
        with (
            _elected(self.settings, PUBLISHING_LOCK, stopping) as database,
            noted(self.settings, self.note) as broker,
        ):
            _require_queues(broker)
            publisher = Publisher(broker)
            # how far we are may be forgotten: then it is published again, and known by its id
            database.execute("SET synchronous_commit = off")
            database.execute("LISTEN breakwater_log")
            through = published_through(database)
            logging.get().info("publishing", after=through)
            while not stopping:
                events = unpublished(database, after=through, most=PUBLISHED_AT_ONCE)
                if events:
                    through = _publish(publisher, database, events, self.tally)
                elif not _await_notify(database):
                    drain(broker, 0)
                    broker.heartbeat_tick()

    @every(UPKEEP_SECONDS)
    def upkeep(self) -> None:
        """Partitions ahead, old days dropped, old ids forgotten. What fails now is done the next time."""
        with unavailable_when_down(), connect(self.settings) as database:
            database.execute("SET lock_timeout = '2s'")  # numbering waits behind us
            outbox.prepare_log(database)
            forgotten = outbox.forget_seen(database)
            dropped = outbox.trim_log(database)
        logging.get().debug("log_kept", days_dropped=dropped, ids_forgotten=forgotten)


@contextmanager
def _elected(settings: Settings, lock: int, stopping: Stopping) -> Iterator[psycopg.Connection]:
    """A connection that holds the lock, once nobody else does. Raises Unavailable where the database goes away."""
    with unavailable_when_down(), connect(settings) as database:
        waiting_since = monotonic()
        while database.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
            if stopping.wait(POLL_SECONDS):
                break
            if monotonic() - waiting_since > UPKEEP_SECONDS:
                logging.get().info("another_relay_works", lock=lock)
                waiting_since = monotonic()
        yield database


def _await_notify(database: psycopg.Connection) -> bool:
    """Whether there was one in time."""
    return any(True for _ in database.notifies(timeout=POLL_SECONDS, stop_after=1))


def _require_queues(broker: Any) -> None:  # noqa: ANN401 - py-amqp has no types
    """Publish nothing before every catalogued queue is there to take it. Raises one of BROKER_ERRORS."""
    channel = broker.channel()
    for queue in QUEUES:
        channel.queue_declare(queue, passive=True)
    channel.close()


def _publish(publisher: Publisher, database: psycopg.Connection, events: list[Logged], tally: Tally) -> int:
    """Publish; returns the last number that the broker has confirmed."""
    spans = [_span(event, batch=len(events)) for event in events]
    try:
        publisher.publish(list(map(_outgoing, events, spans)))
    except NotPublished as error:
        _end(spans[: error.confirmed])
        _end(spans[error.confirmed :], error=error.code)
        if error.confirmed:
            outbox.advance(database, events[error.confirmed - 1].sequence)
        raise
    _end(spans)
    through = events[-1].sequence
    outbox.advance(database, through)
    for event in events:
        tally.count(PUBLISHED, event.type)
    return through


def _outgoing(event: Logged, span: Span | None) -> Outgoing:
    """The message; its body stays as it was made, and where the way of it is traced a header says so."""
    properties: dict[str, Any] = {
        "content_type": CONTENT_TYPE, "message_id": str(event.event_id), "type": event.type,
    }  # fmt: skip
    if span is not None:
        properties["application_headers"] = {HEADER: span.traceparent}
    return Outgoing(
        exchange=EVENTS, routing_key=event.routing_key, body=event.body.encode(), properties=properties
    )


def _span(event: Logged, *, batch: int) -> Span | None:
    return publishing(
        event.traceparent,
        exchange=EVENTS,
        routing_key=event.routing_key,
        event_id=event.event_id,
        event_type=event.type,
        batch=batch,
    )


def _end(spans: Iterable[Span | None], *, error: str = "") -> None:
    for span in spans:
        if span is not None:
            span.end(error=error)
