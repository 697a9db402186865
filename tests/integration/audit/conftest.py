"""Factories of events and a record to write them to."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session, sessionmaker

from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, Envelope, Event, EventContext
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.envelope import build, parse
from shared.secrets import Secret
from tests.integration.conftest import Database

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
KEY_TEXT = "the chain key of a test"
KEY = ChainKey(Secret(KEY_TEXT))
INSTANCE = uuid4()

Record = Callable[..., int]


def context(actor: str = "alice", kind: ActorKind = ActorKind.USER) -> EventContext:
    return EventContext(
        instance_id=INSTANCE,
        actor=Actor(kind=kind, name=actor),
        request_id="r-1",
        address="192.0.2.7",
        user_agent="docker/28.2.2",
    )


def push(number: int = 1, *, project: str = "library") -> ArtifactPushed:
    return ArtifactPushed(
        project=project, repository=f"{project}/app", digest=f"sha256:{number:064x}", tag=f"v{number}", project_id=1
    )


def envelope(event: Event, *, around: EventContext | None = None, at: datetime = NOW) -> Envelope:
    return parse(build(event, context=around or context(), event_id=uuid4(), time=at))


@pytest.fixture
def sessions(database: Database) -> Iterator[sessionmaker[Session]]:
    bind = engine(database.settings("audit"))
    yield session_factory(bind)
    bind.dispose()


@pytest.fixture
def record(sessions: sessionmaker[Session]) -> Record:
    """Record events in one transaction; returns how many were new."""

    def record(*events: Event | Envelope, now: datetime = NOW) -> int:
        envelopes = [each if isinstance(each, Envelope) else envelope(each, at=now) for each in events]
        with sessions.begin() as session:
            return record_batch(session, envelopes, key=KEY, now=now)

    return record
