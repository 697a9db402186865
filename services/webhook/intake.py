"""Takes the registry's notifications in, in a process of its own that knows no broker.

The registry repeats whatever is not answered with success, for ever and before anything else: so an authenticated
notification that can never be accepted is parked and answered with success. What is not authenticated is never kept.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from time import monotonic
from typing import Final
from uuid import UUID

import psycopg
from nameko.extensions import DependencyProvider
from werkzeug.wrappers import Request

from services.webhook.commands.notification import park, record
from services.webhook.connections import LOOK_SECONDS, Connections
from services.webhook.domain.notification import Notification, Unreadable, read
from services.webhook.domain.observation import Observation, observe
from services.webhook.http import Answer, http
from shared import logging
from shared.errors import Unavailable
from shared.messaging.dependencies import Counting, settings_of
from shared.metrics.figures import NOTIFICATIONS
from shared.metrics.tally import Tally
from shared.readiness import LIVE, READY
from shared.settings import Settings
from shared.tracing.messages import follow, making
from shared.tracing.spans import Span

LARGEST_BODY: Final = 1024 * 1024
"""A notification is one or two kilobytes."""
LARGEST_PARKED: Final = 8 * LARGEST_BODY
"""Up to here it might be a registry's, with headers out of all proportion: parked. Beyond, it is none: refused."""
MOST_CONNECTIONS: Final = 4
SILENT_SECONDS: Final = 60
"""Between two log lines about requests that are not authenticated."""


class Intake:
    """What the process keeps: its instance's id, its secret and its connections."""

    def __init__(self, settings: Settings) -> None:
        self.instance_id = settings.instance_id
        self.connections = Connections(settings, limit=MOST_CONNECTIONS)
        self._token = settings.secret("notification-token")
        self._silent_until = 0.0

    def admits(self, authorization: str) -> bool:
        """Whether a request's Authorization header holds the registry's token; in constant time."""
        scheme, _, token = authorization.partition(" ")
        admitted = self._token.matches(token.strip()) and scheme.lower() == "bearer"
        if not admitted and monotonic() > self._silent_until:  # a registry with the wrong token loses all it sends
            self._silent_until = monotonic() + SILENT_SECONDS
            logging.get().warning("notification_unauthenticated")
        return admitted

    def take(self, readings: Sequence[Notification | Unreadable]) -> int:
        """Commit the events of what could be read; returns how many there were to tell. Raises Unavailable."""
        observations = [
            observation
            for each in readings
            if isinstance(each, Notification) and (observation := observe(each, instance_id=self.instance_id))
        ]
        if observations:
            spans = _begin_spans(observations)
            carried = [_carrying(each, spans.get(each.id)) for each in observations]
            told = self.connections.run(lambda connection: record(connection, carried))
            _end_spans(spans, told)
        return len(observations)

    def park(self, unreadable: Sequence[Unreadable], *, address: str) -> None:
        """Keep what could not be taken. Raises Unavailable."""
        if unreadable:
            kept = self.connections.run(lambda connection: park(connection, unreadable, address=address))
            logging.get().warning("notification_parked", reason=unreadable[0].reason, sent=len(unreadable), kept=kept)


class IntakeProvider(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """Gives workers the one Intake."""

    def setup(self) -> None:
        """Read the secret once; raises ConfigurationError where there is none."""
        self._intake = Intake(settings_of(self.container))

    def stop(self) -> None:
        """Close the connections."""
        self._intake.connections.close()

    def get_dependency(self, _worker: object) -> Intake:
        """The same for every worker."""
        return self._intake


class IntakeService:
    """POST /service/notifications, and what it is asked by whoever has started it."""

    name = "intake"
    intake = IntakeProvider()
    tally: Tally = Counting()

    @http("POST", "/service/notifications")
    def notifications(self, request: Request) -> Answer:
        """Answer only when everything in the body is committed."""
        if not self.intake.admits(request.headers.get("Authorization", "")):
            self.tally.count(NOTIFICATIONS, "refused")
            return _refusal(HTTPStatus.UNAUTHORIZED, "the notification's bearer token is missing or wrong")
        length = request.content_length or 0
        if length > LARGEST_PARKED:
            self.tally.count(NOTIFICATIONS, "refused")
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {LARGEST_PARKED} bytes")
        body = request.stream.read(min(length, LARGEST_BODY))
        try:
            return self._take(body, length, address=request.remote_addr or "")
        except Unavailable as error:
            self.tally.count(NOTIFICATIONS, "put_off")
            logging.get().warning("notification_put_off", reason=error.sentence)
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, error.sentence)

    @http("GET", LIVE)
    def livez(self, _request: Request) -> Answer:
        """This process turns, whatever else is away."""
        return HTTPStatus.OK, '{"status":"alive"}'

    @http("GET", READY)
    def readyz(self, _request: Request) -> Answer:
        """Whether a notification could be taken in now; told within seconds."""
        try:
            self.intake.connections.run(lambda connection: connection.execute("SELECT 1"), patience=LOOK_SECONDS)
        except Unavailable as error:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, error.sentence)
        return HTTPStatus.OK, '{"status":"healthy"}'

    def _take(self, body: bytes, length: int, *, address: str) -> Answer:
        """Take what can be read and park the rest. Raises Unavailable."""
        if length > LARGEST_BODY:
            readings: list[Notification | Unreadable] = [
                Unreadable(reason=f"the body of {length} bytes is larger than {LARGEST_BODY}", body=body)
            ]
        else:
            readings = read(body)
        try:
            taken = self.intake.take(readings)
            unreadable = [each for each in readings if isinstance(each, Unreadable)]
        except Unavailable:
            raise
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise Unavailable("the database takes no writing right now: try again in a moment") from error
        except psycopg.ProgrammingError as error:  # no fault of the notification: it will do once that is put right
            logging.get().error("database_not_as_expected", reason=type(error).__name__, exc_info=error)
            raise Unavailable("the database is not as this version expects it") from error
        except Exception as error:  # noqa: BLE001 - repeated, it would fail for ever, with all others waiting behind it
            logging.get().error("notification_failed", reason=type(error).__name__, exc_info=error)
            taken, unreadable = 0, [Unreadable(reason=f"the intake failed on it: {type(error).__name__}", body=body)]
        self.intake.park(unreadable, address=address)
        self.tally.count(NOTIFICATIONS, "taken")
        self.tally.count(NOTIFICATIONS, "parked", by=len(unreadable))
        return HTTPStatus.OK, json.dumps({"events": taken, "parked": len(unreadable)})


def _refusal(status: HTTPStatus, sentence: str) -> Answer:
    return status, json.dumps({"error": sentence})


def _begin_spans(observations: Sequence[Observation]) -> Mapping[UUID, Span]:
    """For each event that is made; none where nothing is traced."""
    found = {
        each.id: making(each.context.request_id, event_id=each.id, event_type=each.event.type)
        for each in observations
    }
    return {event_id: span for event_id, span in found.items() if span is not None}


def _carrying(observation: Observation, span: Span | None) -> Observation:
    if span is None:
        return observation
    return replace(observation, context=replace(observation.context, traceparent=span.traceparent))


def _end_spans(spans: Mapping[UUID, Span], told: Mapping[UUID, str | None]) -> None:
    """End those of events that were written, in the trace that the gate has begun; of others nothing is to tell."""
    for event_id, gate in told.items():
        span = spans.get(event_id)
        if span is not None:
            follow(span, gate)
            span.end()
