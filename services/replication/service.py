"""The part that replicates: takes events in, begins what is due, lists what there is to do, asks how registries are.

It copies too, as `services.replication.worker` does alone where one process is not enough.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, TypeVar

import eventlet
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.replication.commands import changes, claiming, following, health, history, preparation, schedule, settling
from services.replication.commands.execution import start_execution
from services.replication.commands.waking import CHANNEL, wake
from services.replication.crew import context_of
from services.replication.domain.execution import Execution, Scope
from services.replication.domain.policy import Trigger
from services.replication.domain.registry import Health, Registry
from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.queries.due import Due, what_is_due
from services.replication.queries.rows import read_policy, read_registry
from services.replication.tables import policies, registries
from services.replication.worker import WorkerService
from shared import logging
from shared.db import unavailable_when_down
from shared.errors import BadRequest, BreakwaterError
from shared.events import Envelope, EventContext
from shared.messaging.consume import consume
from shared.messaging.forever import Stopping, forever
from shared.postgres import connect
from shared.tracing.current import tracer
from shared.tracing.spans import Kind

POLL_SECONDS: Final = 0.5
CHECK_LIMIT: Final = 30.0
CHECKS_AT_ONCE: Final = 4
PREPARED_AT_ONCE: Final = 2
FOLLOW_SECONDS: Final = 2.0
UPKEEP_SECONDS: Final = 300.0

log = logging.get()

Found = TypeVar("Found")


class ReplicationService(WorkerService):
    """Consumes the queue `replication`; begins, prepares and checks by itself."""

    @consume(queue="replication", batch=100, pace=0.02)
    def note(self, envelopes: list[Envelope]) -> None:
        """Keep what events tell to policies."""
        with self.crew.sessions.begin() as session:
            changes.note(session, envelopes, now=_now())

    @forever
    def plan(self, stopping: Stopping) -> None:
        """Begin what is due, and take from the dead what they held."""
        preparing = eventlet.GreenPool(PREPARED_AT_ONCE)
        checking = eventlet.GreenPool(CHECKS_AT_ONCE)
        with unavailable_when_down(), connect(self.settings) as database:
            database.execute(f"LISTEN {CHANNEL}".encode())
            while not stopping:
                with self.crew.sessions() as session:
                    due = what_is_due(session, lost=claiming.LOST, now=_now())
                self._begin(due)
                if due.preparing:
                    self._hand_out(preparing, self._next_to_prepare, self._prepare)
                if due.checks:
                    self._hand_out(checking, self._next_to_check, self._check)
                wait = POLL_SECONDS if due.change_at is None else (due.change_at - _now()).total_seconds()
                for _ in database.notifies(timeout=max(0.01, min(POLL_SECONDS, wait)), stop_after=1):
                    pass

    @forever
    def follow(self, stopping: Stopping) -> None:
        """Tell how far runs are, while they are under way."""
        seen: dict[int, following.Seen] = {}
        while not stopping.wait(FOLLOW_SECONDS):
            with self.crew.sessions.begin() as session:
                seen = following.tell_progress(session, seen, now=_now(), context=self._context)

    @forever
    def keep(self, stopping: Stopping) -> None:
        """Drop old runs, a few at a time."""
        while True:
            while not stopping:
                with self.crew.sessions.begin() as session:
                    if not history.prune(session):
                        break
            if stopping.wait(UPKEEP_SECONDS):
                return

    def _begin(self, due: Due) -> None:
        """Whatever is due, one at a time and each in a transaction of its own."""
        start = self._start
        for wanted, begin in (
            (due.change_at is not None and due.change_at <= _now(), partial(changes.begin, context=self._context)),
            (due.scheduled, partial(schedule.start_scheduled, start=start)),
            (due.healing, partial(schedule.start_healing, start=start)),
        ):
            more = wanted
            while more:
                with self.crew.sessions.begin() as session:
                    more = begin(session, now=_now()) is not None
        if due.lost:
            with self.crew.sessions.begin() as session:
                log.warning("tasks_handed_on", count=claiming.reap(session, now=_now()))
        if due.left_over:
            with self.crew.sessions.begin() as session:
                settling.clear_up(session, now=_now(), context=self._context)

    def _hand_out(self, threads: Any, find: Callable[[], Found | None], work: Callable[[Found], None]) -> None:  # noqa: ANN401 - eventlet has no types
        """Begin what is found, as many at once as there are threads."""
        while threads.free():
            found = find()
            if found is None:
                break
            threads.spawn_n(work, found)

    def _next_to_prepare(self) -> Execution | None:
        with self.crew.sessions.begin() as session:
            return preparation.claim_preparation(session, self.crew.pool.id, lost=claiming.LOST, now=_now())

    def _next_to_check(self) -> Registry | None:
        with self.crew.sessions.begin() as session:
            return health.take_unchecked(session, now=_now())

    def _start(self, session: Session, policy_id: int, trigger: Trigger, scope: Scope) -> None:
        """Nobody has asked for it: it begins a trace."""
        here = tracer()
        span = here and here.root(
            "start replication", Kind.INTERNAL,
            {"breakwater.replication.policy_id": policy_id, "breakwater.replication.trigger": trigger.value},
        )  # fmt: skip
        start_execution(
            session,
            policy_id,
            trigger=trigger,
            scope=scope,
            operator=self._context.actor.name,
            dry_run=False,
            now=_now(),
            context=replace(self._context, traceparent=span.traceparent if span else None),
        )
        if span:
            span.end()

    @property
    def _context(self) -> EventContext:
        return context_of(self.settings)

    def _prepare(self, execution: Execution) -> None:
        """List one run's tasks. What goes wrong here is tried again, or told as its end."""
        crew = self.crew
        try:
            with crew.sessions() as session:
                of_policy = select(policies).where(policies.c.id == execution.policy_id)
                policy = read_policy(session.execute(of_policy).one())
                of_registry = select(registries).where(registries.c.id == policy.registry_id)
                registry = read_registry(session.execute(of_registry).one())
            try:
                source = None if policy.pushes else crew.registries.remote(registry)
                state = preparation.prepare(
                    crew.sessions, execution, policy, source, crew.pool.id, now=_now(), context=self._context
                )
            except (AttemptFailed, BadRequest) as error:
                fault = error if isinstance(error, AttemptFailed) else AttemptFailed(Fault.REFUSED, error.sentence)
                with crew.sessions.begin() as session:
                    again = preparation.put_off(
                        session, execution, crew.pool.id, fault,
                        now=_now(), chance=random.random(), context=self._context,
                    )  # fmt: skip
                log.warning("run_not_prepared", execution_id=execution.id, reason=error.sentence, again=again)
                return
            log.info("run_prepared", execution_id=execution.id, policy=policy.name, state=state)
        except BreakwaterError as error:
            self._forsake(execution, error.sentence)
        except Exception as error:
            log.exception("run_not_prepared", execution_id=execution.id)
            self._forsake(execution, f"a fault of Breakwater's own: {type(error).__name__}")

    def _forsake(self, execution: Execution, reason: str) -> None:
        """Let it be prepared anew later; where even that cannot be written down, the beat of the next process does."""
        log.warning("run_not_prepared", execution_id=execution.id, reason=reason)
        try:
            with unavailable_when_down(), self.crew.sessions.begin() as session:
                preparation.put_off(
                    session, execution, self.crew.pool.id, AttemptFailed(Fault.INTERNAL, reason),
                    now=_now(), chance=random.random(), context=self._context,
                )  # fmt: skip
        except BreakwaterError as error:
            log.warning("run_held_on_to", execution_id=execution.id, reason=error.sentence)

    def _check(self, registry: Registry) -> None:
        """Ask one registry, and write down what it said."""
        reason = ""
        try:
            with eventlet.Timeout(CHECK_LIMIT):
                self.crew.registries.remote(registry).check()
        except eventlet.Timeout:
            reason = f"it did not answer within {CHECK_LIMIT:.0f} s"
        except BreakwaterError as error:
            reason = error.sentence
        except Exception as error:
            log.exception("registry_not_checked", registry=registry.name)
            reason = f"a fault of Breakwater's own: {type(error).__name__}"
        try:
            with unavailable_when_down(), self.crew.sessions.begin() as session:
                changed = health.record_check(session, registry.id, reason, now=_now(), chance=random.random())
                if changed:
                    wake(session)
        except BreakwaterError as error:
            log.warning("registry_check_not_recorded", registry=registry.name, reason=error.sentence)
            return
        if changed is Health.UNHEALTHY:
            log.warning("registry_unhealthy", registry=registry.name, reason=reason)
        elif changed:
            log.info("registry_healthy", registry=registry.name)


def _now() -> datetime:
    return datetime.now(UTC)
