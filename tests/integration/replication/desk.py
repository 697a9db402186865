"""The engine's use cases as the part calls them, each in a transaction of its own, at a time that a test chooses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session, sessionmaker

from services.replication.commands import changes, claiming, settling
from services.replication.commands.execution import start_execution, stop_execution
from services.replication.commands.settling import Ending
from services.replication.domain.claim import Claim
from services.replication.domain.execution import Execution, Scope
from services.replication.domain.policy import Trigger
from services.replication.domain.task import Fault, TaskState
from services.replication.tables import pools
from shared.db import engine, session_factory
from shared.events import Actor, ActorKind, Envelope, Event, EventContext
from shared.pools import Pool, beat
from tests.integration.conftest import Database

NOW = datetime(2026, 5, 17, 12, 0, tzinfo=UTC)
CONTEXT = EventContext(
    instance_id=UUID("00000000-0000-4000-8000-000000000001"),
    actor=Actor(kind=ActorKind.SYSTEM, name="system:replication"),
)
SUCCESS = Ending(state=TaskState.SUCCEEDED, message="1 copied")


def failure(fault: Fault = Fault.UNREACHABLE) -> Ending:
    """An attempt that failed."""
    return Ending(state=TaskState.FAILED, fault=fault, message=f"it failed: {fault}")


@dataclass
class Desk:
    """As the role of the part, so that its rights are tried too."""

    database: Database
    sessions: sessionmaker[Session]
    registry_id: int = 0
    _workers: list[UUID] = field(default_factory=list)

    def rows(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with self.database.superuser() as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def one(self, query: LiteralString, *values: object) -> tuple[Any, ...]:
        (row,) = self.rows(query, *values)
        return row

    def registry(self, name: str, concurrency: int = 16) -> int:
        row = self.one(
            """
            INSERT INTO replication.registries (name, kind, url, concurrency) VALUES (%s, 'harbor', %s, %s) RETURNING id
            """,
            name, f"https://{name}.example", concurrency,
        )  # fmt: skip
        return int(row[0])

    def policy(
        self,
        name: str,
        *,
        trigger: str = "event_based",
        deletion: bool = False,
        concurrency: int = 16,
        filters: tuple[Mapping[str, object], ...] = (),
        namespace: str = "",
        replace_count: int = -1,
        registry_id: int | None = None,
    ) -> int:
        return int(
            self.one(
                """
                INSERT INTO replication.policies (name, target_id, trigger, deletion, concurrency, filters, enabled,
                    namespace, replace_count, cron)
                VALUES (%s, %s, %s, %s, %s, %s, true, %s, %s, %s) RETURNING id
                """,
                name, registry_id or self.registry_id, trigger, deletion, concurrency, Jsonb(list(filters)), namespace,
                replace_count, "0 5 * * * *" if trigger == "scheduled" else "",
            )[0]
        )  # fmt: skip

    def execution(self, policy_id: int, *tags: str, source: str = "p/app", digest: str | None = None) -> int:
        """A run of everything, whose tasks are listed already: one a tag."""
        number = int(
            self.one(
                """
                INSERT INTO replication.executions (policy_id, trigger, scope, state, total, in_progress)
                VALUES (%s, 'manual', 'everything', 'running', %s, %s) RETURNING id
                """,
                policy_id, len(tags), len(tags),
            )[0]
        )  # fmt: skip
        for tag in tags:
            self.rows(
                """
                INSERT INTO replication.tasks (execution_id, policy_id, registry_id, operation, kind, source, target,
                    digest, tags, state, due_at, created_at)
                SELECT %s, id, target_id, 'copy', 'image', %s, %s, %s, ARRAY[%s], 'pending', %s, %s
                FROM replication.policies WHERE id = %s
                """,
                number, source, source, digest, tag, NOW, NOW, policy_id,
            )  # fmt: skip
        return number

    def worker(self) -> UUID:
        """A process that beats."""
        pool = Pool(id=uuid4(), host="h", pid=1, concurrency=16, started_at=NOW)
        with self.sessions.begin() as session:
            beat(session, pools, pool)
        return pool.id

    def dies(self, worker: UUID) -> None:
        """Its last beat is long ago."""
        self.rows("UPDATE replication.pools SET heartbeat_at = now() - interval '30 s' WHERE id = %s", worker)

    def claim(self, worker: UUID, *, free: int = 16, now: datetime = NOW) -> list[Claim]:
        with self.sessions.begin() as session:
            return claiming.claim(session, worker, free=free, now=now)

    def settle(
        self, worker: UUID, endings: Mapping[int, Ending], *, now: datetime = NOW
    ) -> dict[int, TaskState]:
        with self.sessions.begin() as session:
            return settling.settle(session, worker, endings, now=now, chance=lambda: 0.5, context=CONTEXT)

    def reap(self, *, now: datetime = NOW) -> int:
        with self.sessions.begin() as session:
            return claiming.reap(session, now=now)

    def clear_up(self, *, now: datetime = NOW) -> int:
        with self.sessions.begin() as session:
            return settling.clear_up(session, now=now, context=CONTEXT)

    def stop(self, execution_id: int, *, now: datetime = NOW) -> Execution:
        with self.sessions.begin() as session:
            return stop_execution(session, execution_id, now=now, context=CONTEXT)

    def start(self, policy_id: int, *, now: datetime = NOW) -> Execution:
        with self.sessions.begin() as session:
            return start_execution(
                session, policy_id, trigger=Trigger.MANUAL, scope=Scope.EVERYTHING, operator="admin", dry_run=False,
                now=now, context=CONTEXT,
            )  # fmt: skip

    def note(self, *events: Event, now: datetime = NOW, traceparent: str | None = None) -> int:
        envelopes = [
            Envelope(
                id=uuid4(), source="", time=now, subject=event.subject, actor=CONTEXT.actor, event=event,
                sequence=None, request_id=None, address=None, user_agent=None, traceparent=traceparent,
            )
            for event in events
        ]  # fmt: skip
        with self.sessions.begin() as session:
            return changes.note(session, envelopes, now=now)

    def begin(self, *, now: datetime) -> int | None:
        with self.sessions.begin() as session:
            return changes.begin(session, now=now, context=CONTEXT)

    def state(self, execution_id: int) -> tuple[Any, ...]:
        """State, total, in progress, succeeded, failed, stopped."""
        return self.one(
            "SELECT state, total, in_progress, succeeded, failed, stopped FROM replication.executions WHERE id = %s",
            execution_id,
        )

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The data of the events of a type, in their order."""
        rows = self.rows("SELECT body -> 'data' FROM events.outbox WHERE type LIKE %s ORDER BY id", f"%{kind}%")
        return [row[0] for row in rows]


@contextmanager
def desk_of(database: Database) -> Iterator[Desk]:
    bind = engine(database.settings("replication"))
    desk = Desk(database, session_factory(bind))
    desk.registry_id = desk.registry("there")
    yield desk
    bind.dispose()
