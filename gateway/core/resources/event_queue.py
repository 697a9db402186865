"""The broker's queues and dead letters, an extension of Breakwater: what events wait for, and what failed for good."""

from gateway.core.access import require_administrator
from gateway.core.bodies.event_queue import Settlement, SettlementBody
from gateway.core.broker import broker_of
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.event_queue import dead_letter_view, opened_letter_view, queue_depth_view
from shared import logging
from shared.errors import NotFound
from shared.events import emit
from shared.events.definitions.dead_letter import DeadLettersDiscarded, DeadLettersRedriven
from shared.messaging.dead_letters import NoSuchDeadLetter, Tally, discard, list_dead_letters, redrive
from shared.messaging.depths import queue_depths
from shared.messaging.topology import Consumer, consumer_of
from shared.settings import Settings


class EventQueues:
    """/system/queues."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell of each service's queue how much waits, who takes from it, and what failed."""
        require_administrator(req)
        req.release_database()
        with broker_of(self._settings) as connection:
            resp.media = [queue_depth_view(depth) for depth in queue_depths(connection)]


class DeadLetters:
    """/system/queues/{queue}/dead_letters."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str) -> None:
        """List what no attempt could settle, the oldest first, a thousand at most."""
        require_administrator(req)
        consumer = _consumer(queue)
        req.release_database()
        with broker_of(self._settings) as connection:
            resp.media = [dead_letter_view(letter) for letter in list_dead_letters(connection, consumer)]

    def on_post(self, req: ApiRequest, resp: ApiResponse, queue: str) -> None:
        """Give dead letters back to their service with all attempts before them, or throw them away."""
        require_administrator(req)
        consumer = _consumer(queue)
        body = read_body(req, SettlementBody)
        wanted = body.settlement()
        req.release_database()
        tally = Tally()
        try:
            with broker_of(self._settings) as connection:
                if wanted is Settlement.REDRIVE:
                    redrive(connection, consumer, body.ids or None, tally=tally)
                else:
                    discard(connection, consumer, body.ids, tally=tally)
        finally:
            if tally.count:
                _record(req, queue, wanted, tally.count)
        resp.media = {"count": tally.count}


class OneDeadLetter:
    """/system/queues/{queue}/dead_letters/{letter_id}."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str, letter_id: str) -> None:
        """Show a dead letter with its body."""
        require_administrator(req)
        consumer = _consumer(queue)
        req.release_database()
        with broker_of(self._settings) as connection:
            letters = list_dead_letters(connection, consumer)
        found = next((letter for letter in letters if letter.id == letter_id), None)
        if found is None:
            raise NoSuchDeadLetter
        resp.media = opened_letter_view(found)


def _record(req: ApiRequest, queue: str, settlement: Settlement, count: int) -> None:
    """Tell of what is done already, all of it or a part: it stays done where the rest failed."""
    logging.get().info(
        "dead_letters_settled", queue=queue, action=settlement.value, count=count, actor=req.caller.name
    )
    kind = DeadLettersRedriven if settlement is Settlement.REDRIVE else DeadLettersDiscarded
    emit(req.database, kind(queue=queue, count=count), context=req.event_context)
    req.release_database()


def _consumer(queue: str) -> Consumer:
    found = consumer_of(queue)
    if found is None:
        raise NotFound("there is no such queue")
    return found
