"""The one consumer extension for nameko: `@consume(queue="audit", batch=100)`.

The method is given a list of envelopes and commits their effects; only then are they acknowledged. What fails is tried
one by one to find the culprit, then later, then put among the dead letters. It declares nothing on the broker.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from typing import Any, Final, TypeVar

import eventlet
import eventlet.event
from nameko.extensions import Entrypoint

from shared import logging
from shared.events.envelope import Envelope, decode
from shared.messaging.connection import BROKER_ERRORS, HEARTBEAT_SECONDS, Backoff, connected, drain
from shared.messaging.dependencies import note_of, settings_of, tally_of
from shared.messaging.note import Need
from shared.messaging.outage import is_outage
from shared.messaging.publish import NotPublished, Outgoing, Publisher
from shared.messaging.settling import Delivery, after_failure, dead_letter, reason
from shared.messaging.topology import consumer_of
from shared.metrics.figures import BATCH_SECONDS, CONSUMED, HANDLED_THROUGH, INTERRUPTIONS
from shared.tracing.messages import processing
from shared.tracing.spans import Span

WINDOW_SECONDS: Final = 0.002
"""The relay publishes in bursts: what belongs to one arrives within milliseconds."""
PACE_SECONDS: Final = 0.03
"""Between the starts of two batches at least: a lone event is taken at once, many come together and cost less each."""
IDLE_SECONDS: Final = 1.0
PREFETCH_BATCHES: Final = 3
PATIENCE: Final = 3
"""Pauses of a batch before its events are tried one by one: is it the database, or is it one event?"""
PROBES: Final = 3
"""Events tried by themselves without a success before the batch is put off again."""
STOP_SECONDS: Final = 20
BEGIN_SECONDS: Final = 5
"""So long a service that starts is not called ready because it consumes nothing yet."""

Service = TypeVar("Service")
_Pair = tuple[Delivery, Envelope]


class _Stopped(Exception):
    """The process is to end while a batch waits for the database; the broker will deliver it again."""


class Consume(Entrypoint):  # type: ignore[misc]  # nameko has no types
    """Feeds a service's method with batches from one queue, one batch at a time, in the queue's order."""

    def __init__(self, *, queue: str, batch: int = 100, pace: float = PACE_SECONDS, **options: object) -> None:
        consumer = consumer_of(queue)
        if consumer is None:
            raise ValueError(f"no queue {queue!r} is catalogued in shared.messaging.topology")
        self._consumer = consumer
        self._batch = batch
        self._pace = pace
        self._rested = 0.0
        self._waiting: deque[Delivery] = deque()
        self._begun = eventlet.event.Event()
        self._stopping = eventlet.event.Event()
        self._busy = False
        self._through = 0
        self._thread: Any = None
        self._log = logging.get(queue=queue)
        super().__init__(expected_exceptions=(Exception,), **options)

    def start(self) -> None:
        """Begin to consume; a broker that is away holds the service up for `BEGIN_SECONDS` at most."""
        self._thread = self.container.spawn_managed_thread(self._run, identifier=f"consume {self._consumer.queue}")
        with eventlet.Timeout(BEGIN_SECONDS, exception=False):
            self._begun.wait()

    def stop(self) -> None:
        """Finish the batch at hand, then end; what was prefetched goes back to the queue."""
        for event in (self._stopping, self._begun):
            if not event.ready():
                event.send()
        if self._busy:
            with eventlet.Timeout(STOP_SECONDS, exception=False):
                self._thread.wait()
        self._thread.kill()

    def kill(self) -> None:
        """End now: what is not acknowledged will be delivered again."""
        if self._thread is not None:
            self._thread.kill()

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.ready():
            try:
                with connected(settings_of(self.container)) as connection:
                    self._consume(connection, backoff)
            except _Stopped:
                return
            except (NotPublished, *BROKER_ERRORS) as error:
                self._busy = False
                note_of(self.container).tell(Need.BROKER, found=False)
                seconds = backoff.next()
                tally_of(self.container).count(INTERRUPTIONS, "consume")
                self._log.warning("broker_lost", error=str(error) or type(error).__name__, retry_in=round(seconds, 2))
                self._pause(seconds)

    def _consume(self, connection: Any, backoff: Backoff) -> None:  # noqa: ANN401 - py-amqp has no types
        self._waiting.clear()
        channel = connection.channel()
        channel.auto_decode = False
        channel.basic_qos(0, self._batch * PREFETCH_BATCHES, a_global=False)
        channel.basic_consume(self._consumer.queue, callback=lambda message: self._waiting.append(Delivery.of(message)))
        publisher = Publisher(connection)
        beats = eventlet.spawn(_beat, connection)
        backoff.reset()
        note_of(self.container).tell(Need.BROKER, found=True)
        self._log.info("consuming", batch=self._batch)
        if not self._begun.ready():
            self._begun.send()
        try:
            while not self._stopping.ready():
                batch = self._gather(connection)
                if batch:
                    started = monotonic()
                    self._rested = started + self._pace
                    self._busy = True
                    outgoing = self._settle(batch, connection)
                    publisher.publish(outgoing)
                    channel.basic_ack(batch[-1].tag, multiple=True)
                    self._busy = False
                    self._count(batch, outgoing, monotonic() - started)
                    drain(connection, 0)  # a long batch leaves the broker's heartbeats unread
                connection.heartbeat_tick()
        finally:
            beats.kill()

    def _gather(self, connection: Any) -> list[Delivery]:  # noqa: ANN401 - py-amqp has no types
        """Up to a batch: what there is, and what comes within the window after the first."""
        if len(self._waiting) < self._batch and (rest := self._rested - monotonic()) > 0:
            self._pause(rest)
        if not self._waiting:
            drain(connection, IDLE_SECONDS)
        deadline = monotonic() + WINDOW_SECONDS
        while 0 < len(self._waiting) < self._batch and (left := deadline - monotonic()) > 0:
            drain(connection, left)
        return self._take(self._batch)

    def _take(self, most: int) -> list[Delivery]:
        taken = list(islice(self._waiting, most))
        for _ in taken:
            self._waiting.popleft()
        return taken

    def _settle(self, batch: list[Delivery], connection: Any) -> list[Outgoing]:  # noqa: ANN401 - py-amqp has no types
        """Have every event's effect committed; returns what is to be published about those that failed.

        The batch grows, up to its limit, while the database is away.
        """
        outgoing: list[Outgoing] = []
        pending = self._readable(batch, outgoing)
        pauses = Backoff()
        while pending:
            error = self._attempt(pending)
            if error is None:
                break
            if is_outage(error) and (pauses.count < PATIENCE or len(pending) == 1):
                self._wait_out(error, pauses)
                more = self._more(connection, self._batch - len(batch))
                batch.extend(more)
                pending += self._readable(more, outgoing)
            elif len(pending) == 1:
                outgoing.append(self._failed(pending[0], error))
                break
            else:
                pending = self._one_by_one(pending, outgoing)
                if pending:
                    self._wait_out(error, pauses)
        return outgoing

    def _one_by_one(self, pairs: list[_Pair], outgoing: list[Outgoing]) -> list[_Pair]:
        """Try each event by itself; returns those that are still pending, because nothing succeeds.

        Where one succeeds, what is away for another is that event's own trouble. Those that were tried come last.
        """
        outages: list[tuple[_Pair, Exception]] = []
        succeeded = 0
        for place, pair in enumerate(pairs, start=1):
            error = self._attempt([pair])
            if error is None:
                succeeded += 1
            elif is_outage(error):
                outages.append((pair, error))
            else:
                outgoing.append(self._failed(pair, error))
            if not succeeded and len(outages) == PROBES:
                return [*pairs[place:], *(tried for tried, _ in outages)]
        if not succeeded:
            return [pair for pair, _ in outages]
        outgoing.extend(self._failed(pair, error) for pair, error in outages)
        return []

    def _readable(self, batch: Iterable[Delivery], outgoing: list[Outgoing]) -> list[_Pair]:
        pairs: list[_Pair] = []
        for delivery in batch:
            try:
                envelope = decode(delivery.body)
                pairs.append((delivery, envelope))
                self._through = max(self._through, envelope.sequence or 0)
            except Exception as error:  # noqa: BLE001 - an event that crashed us here would come again for ever
                self._log.error("event_unreadable", reason=reason(error)[1], routing_key=delivery.routing_key)
                outgoing.append(dead_letter(self._consumer, delivery, error, now=datetime.now(UTC)))
        return pairs

    def _count(self, batch: list[Delivery], outgoing: list[Outgoing], seconds: float) -> None:
        """Count a batch that is acknowledged."""
        tally = tally_of(self.container)
        dead = sum(each.exchange == self._consumer.dead_letters for each in outgoing)
        for outcome, number in (("done", len(batch) - len(outgoing)), ("again", len(outgoing) - dead), ("dead", dead)):
            tally.count(CONSUMED, outcome, by=number)
        tally.time(BATCH_SECONDS, seconds)
        if self._through:
            tally.set(HANDLED_THROUGH, self._through)

    def _failed(self, pair: _Pair, error: Exception) -> Outgoing:
        delivery, envelope = pair
        code, sentence = reason(error)
        outgoing = after_failure(self._consumer, delivery, error, now=datetime.now(UTC))
        self._log.error(
            "event_failed",
            event_id=str(envelope.id),
            type=envelope.event.type,
            request_id=envelope.request_id,
            attempts=delivery.attempts + 1,
            sent_to=outgoing.routing_key or outgoing.exchange,
            code=code,
            reason=sentence,
            exc_info=error,
        )
        return outgoing

    def _attempt(self, pairs: list[_Pair]) -> Exception | None:
        """Run the service's method in a nameko worker; returns what it raised."""
        done = eventlet.event.Event()
        spans = [self._span(delivery, envelope, batch=len(pairs)) for delivery, envelope in pairs]

        def finished(_context: object, result: object, exc_info: Any) -> tuple[object, Any]:  # noqa: ANN401 - nameko's
            done.send(None if exc_info is None else exc_info[1])
            return result, exc_info

        self.container.spawn_worker(
            self, ([_following(envelope, span) for (_, envelope), span in zip(pairs, spans, strict=True)],), {},
            handle_result=finished,
        )  # fmt: skip
        raised = done.wait()
        for span in spans:
            if span is not None:
                span.end(error=reason(raised)[0] if isinstance(raised, Exception) else "")
        if raised is not None and not isinstance(raised, Exception):
            raise raised
        return raised

    def _span(self, delivery: Delivery, envelope: Envelope, *, batch: int) -> Span | None:
        """Of one event's handling, below its publication; None where that is not traced."""
        return processing(
            delivery.traceparent or envelope.traceparent,
            queue=self._consumer.queue,
            routing_key=delivery.routing_key,
            event_id=envelope.id,
            event_type=envelope.event.type,
            batch=batch,
            attempt=delivery.attempts + 1,
        )

    def _wait_out(self, error: Exception, pauses: Backoff) -> None:
        seconds = pauses.next()
        self._log.warning("waiting_for_outage", reason=reason(error)[1], retry_in=round(seconds, 2))
        self._pause(seconds)
        if self._stopping.ready():
            raise _Stopped

    def _pause(self, seconds: float) -> None:
        with eventlet.Timeout(seconds, exception=False):
            self._stopping.wait()

    def _more(self, connection: Any, most: int) -> list[Delivery]:  # noqa: ANN401 - py-amqp has no types
        while drain(connection, 0):
            pass
        return self._take(most)


def _following(envelope: Envelope, span: Span | None) -> Envelope:
    """The event as the service is given it: what that does because of it follows from the handling."""
    return envelope if span is None else replace(envelope, traceparent=span.traceparent)


def _beat(connection: Any) -> None:  # noqa: ANN401 - py-amqp has no types
    """Keep the connection alive while a batch is worked on and nobody reads."""
    while True:
        eventlet.sleep(HEARTBEAT_SECONDS / 3)
        try:
            connection.send_heartbeat()
        except (*BROKER_ERRORS, AttributeError, TypeError):  # the consuming thread notices by itself
            return


def consume(
    *, queue: str, batch: int = 100, pace: float = PACE_SECONDS
) -> Callable[[Callable[[Service, list[Envelope]], None]], Callable[[Service, list[Envelope]], None]]:
    """Have a service's method called with every batch of a queue's events, at most `batch` at once.

    Batches begin `pace` seconds apart at least. The method commits; if it raises Unavailable the
    batch waits, if it raises anything else each event is tried by itself.
    """
    decorator: Callable[[Callable[[Service, list[Envelope]], None]], Callable[[Service, list[Envelope]], None]] = (
        Consume.decorator(queue=queue, batch=batch, pace=pace)
    )
    return decorator
