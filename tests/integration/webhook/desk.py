"""The use cases that the delivering part calls, called by a test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy.orm import Session, sessionmaker

from services.webhook.commands import delivery, enqueue
from services.webhook.deliveries import WORKERS
from services.webhook.domain.delivery import Claim, Fault, Outcome, State
from services.webhook.domain.shares import Shares
from shared.db import engine, session_factory
from shared.events import Envelope, Event
from tests.integration.broker import Broker
from tests.integration.conftest import Database
from tests.integration.webhook.hooks import CONTEXT, Hooks, hooks_of

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
POOL = uuid4()


@dataclass(frozen=True)
class Desk:
    """The use cases as the part calls them, each in a transaction of its own, at a time that a test chooses."""

    hooks: Hooks
    sessions: sessionmaker[Session]

    def take(self, *events: Event, now: datetime = NOW, ids: Sequence[UUID] = ()) -> int:
        envelopes = [
            Envelope(
                id=event_id, source="", time=now, subject=event.subject, actor=CONTEXT.actor, event=event,
                sequence=None, request_id=None, address=None, user_agent=None, traceparent=None,
            )
            for event, event_id in zip(events, ids or [uuid4() for _ in events], strict=True)
        ]  # fmt: skip
        with self.sessions.begin() as session:
            return enqueue.enqueue(session, envelopes, host="h", now=now)

    def claim(self, *, most: int = 8, now: datetime = NOW, shares: Shares | None = None) -> list[Claim]:
        with self.sessions.begin() as session:
            return delivery.claim(session, shares or Shares(WORKERS), most=most, pool_id=POOL, now=now)

    def record(
        self, claim: Claim, fault: Fault | None = None, *, now: datetime = NOW, took: timedelta = timedelta(0)
    ) -> State | None:
        outcome = Outcome(fault=fault, message="told", request="", response="", started_at=now - took, finished_at=now)
        with self.sessions.begin() as session:
            return delivery.record(session, claim, outcome, now=now, chance=0.5)


@contextmanager
def desk_of(database: Database, broker: Broker, folder: Path) -> Iterator[Desk]:
    bind = engine(database.settings("webhook"))
    with hooks_of(database, broker, folder) as hooks:
        yield Desk(hooks, session_factory(bind))
    bind.dispose()
