"""What one process has in hand: tasks under way, each let go when it is written down how it ended.

Whatever happens to this process, what it held is handed out anew: nothing is kept in memory that another needs.
"""

import random
import socket
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import eventlet
import eventlet.event
import eventlet.tpool
from eventlet.support.greenlets import GreenletExit
from sqlalchemy.orm import Session, sessionmaker

from services.replication.carrying import Carrier
from services.replication.commands import claiming, health, settling
from services.replication.commands.settling import MOST_LINES, Ending
from services.replication.domain.claim import Claim
from services.replication.domain.task import Fault, TaskState
from services.replication.errors import AttemptFailed
from services.replication.registries import Registries
from services.replication.tables import pools
from services.replication.transfer.meter import Meter
from services.replication.transfer.shelf import Shelf
from services.replication.transfer.throttle import Throttle
from shared import logging
from shared.auth.principals import Principal
from shared.db import unavailable_when_down
from shared.errors import BreakwaterError
from shared.events import Actor, ActorKind, EventContext
from shared.messaging.forever import Stopping
from shared.metrics.tally import Tally
from shared.outbound import Guard, Reach
from shared.pools import Pool, leave
from shared.settings import Settings
from shared.tracing.current import tracer, within
from shared.tracing.spans import Attribute, Kind, Span

TASKS_AT_ONCE: Final = 16
BLOBS_AT_ONCE: Final = 4
"""Of one artifact."""
ENOUGH: Final = 6
"""Hands that are filled at once: taking several tasks costs little more than taking one."""
BUSY_SECONDS: Final = 0.25
"""So long at most it waits for enough hands to be free, or to look again while some are busy."""
POLL_SECONDS: Final = 1.0
KIBIBYTE: Final = 1024

log = logging.get()


@dataclass(eq=False, kw_only=True)
class Hand:
    """A task under way in this process."""

    claim: Claim
    meter: Meter
    thread: Any = None
    begun: bool = False
    """Whether its thread has run: one that is killed before never does."""
    stopping: bool = False
    """It was stopped: that is how it ends. Otherwise, if it is killed, it is handed on."""
    lines: list[tuple[int, datetime, str]] = field(default_factory=list)
    said: int = 0

    def say(self, line: str) -> None:
        """A line for the task's log; of very many the last ones are left out."""
        if self.said < MOST_LINES:
            self.lines.append((self.claim.task_id, _now(), line))
        self.said += 1

    def take_lines(self) -> list[tuple[int, datetime, str]]:
        """The lines that are not written down yet."""
        taken, self.lines = self.lines, []
        return taken


class Crew:
    """What this process has in hand, and what its tasks share."""

    def __init__(self, settings: Settings, sessions: "sessionmaker[Session]", tally: Tally) -> None:
        self.settings = settings
        self.sessions = sessions
        guard = Guard(Reach.PRIVATE, settings.outbound_allow, resolve=_resolve)
        self.registries = Registries(settings, guard, tally)
        self.pool = Pool.of_this_process(TASKS_AT_ONCE)
        self.hands: dict[int, Hand] = {}
        self._shelf = Shelf()
        self._dry: dict[int, Shelf] = {}
        self._throttles: dict[int, tuple[int, Throttle]] = {}
        self._strays: set[int] = set()
        self._unsure = False
        self._freed = eventlet.event.Event()
        self._ended: dict[int, tuple[Hand, Ending | None]] = {}
        self._something_ended = eventlet.event.Event()
        self._threads = eventlet.GreenPool(TASKS_AT_ONCE)

    @property
    def is_unsure(self) -> bool:
        """Whether the table may say that something is ours which is not in hand."""
        return self._unsure

    @property
    def free(self) -> int:
        """How many more tasks it can take: what has ended counts as long as the table says that it runs."""
        return TASKS_AT_ONCE - len(self.hands) - len(self._ended)

    def wait_for_room(self) -> None:
        """Until enough hands are free, or for a while."""
        deadline = time.monotonic() + BUSY_SECONDS
        while self.free < ENOUGH and (left := deadline - time.monotonic()) > 0:
            self._freed = eventlet.event.Event()
            with eventlet.Timeout(left, exception=False):
                self._freed.wait()

    def take(self, claims: Sequence[Claim]) -> None:
        """Begin tasks that are ours."""
        for claim in claims:
            hand = Hand(claim=claim, meter=Meter(take=self._throttle(claim)))
            self.hands[claim.task_id] = hand
            hand.thread = self._threads.spawn(self._run, hand)

    def report(self) -> None:
        """Write down how far everything is; stop what is to be stopped, and let go what is not ours any more."""
        progress = {hand.claim.task_id: hand.meter.now for hand in self.hands.values()}
        lines = [line for hand in self.hands.values() for line in hand.take_lines()]
        limited = {hand.claim.policy.id for hand in self.hands.values()} & self._throttles.keys()
        with self.sessions.begin() as session:
            held = claiming.report(session, self.pool.id, progress)
            for policy_id, share in (claiming.shares(session, self.pool.id, limited) if limited else {}).items():
                self._throttles[policy_id][1].share = share
            settling.write_lines(session, [line for line in lines if line[0] in held])
            # what we hold by the table and not in hand, twice in a row, is an ending that could not be written down
            strays = set(held) - set(self.hands) - set(self._ended)
            if strays & self._strays:
                claiming.give_back(session, self.pool.id, sorted(strays & self._strays), now=_now())
        self._strays = strays - self._strays
        self._unsure = bool(strays)
        for task_id in progress:
            hand = self.hands.get(task_id)
            if hand is not None and (task_id not in held or held[task_id]):
                hand.stopping = held.get(task_id, False)
                self._break_off(hand)

    def settle(self, stopping: Stopping) -> None:
        """Write down how tasks ended: all that have since the last time, in one transaction."""
        while not stopping:
            if self._ended:
                self._settle_all()
            else:
                self._something_ended = eventlet.event.Event()
                with eventlet.Timeout(POLL_SECONDS, exception=False):
                    self._something_ended.wait()

    def let_go(self) -> None:
        """Hand everything on, and say that this process takes no more."""
        for hand in list(self.hands.values()):
            self._break_off(hand)
        self._threads.waitall()
        if self._ended:
            self._settle_all()
        with unavailable_when_down(), self.sessions.begin() as session:
            leave(session, pools, self.pool)

    def _break_off(self, hand: Hand) -> None:
        hand.thread.kill()
        if not hand.begun:
            self._end(hand, _stopped(hand))

    def _run(self, hand: Hand) -> None:
        hand.begun = True
        self._end(hand, self._attempt(hand))

    def _end(self, hand: Hand, ending: Ending | None) -> None:
        self._ended[hand.claim.task_id] = (hand, ending)
        del self.hands[hand.claim.task_id]
        _ring(self._something_ended)

    def _settle_all(self) -> None:
        """Where the database is away the tasks stay ours, and are found to be strays."""
        ended = dict(self._ended)
        endings = {number: ending for number, (_, ending) in ended.items() if ending is not None}
        broken_off = [number for number, (_, ending) in ended.items() if ending is None]
        lines = [line for hand, _ in ended.values() for line in hand.take_lines()]
        settled: dict[int, TaskState] = {}
        try:
            with unavailable_when_down(), self.sessions.begin() as session:
                settled = settling.settle(
                    session,
                    self.pool.id,
                    endings,
                    now=_now(),
                    chance=random.random,
                    context=context_of(self.settings),
                )
                settling.write_lines(session, [line for line in lines if line[0] in settled])
                for registry_id in {
                    ended[number][0].claim.registry.id
                    for number, ending in endings.items()
                    if ending.fault is Fault.UNREACHABLE
                }:
                    health.ask_soon(session, registry_id, now=_now())
                claiming.give_back(session, self.pool.id, broken_off, now=_now())
        except BreakwaterError as error:
            self._unsure = True
            log.warning("tasks_not_recorded", tasks=sorted(ended), reason=error.sentence)
        except Exception:
            self._unsure = True
            log.exception("tasks_not_recorded", tasks=sorted(ended))
        for number, (hand, ending) in ended.items():
            del self._ended[number]
            if ending is not None:
                _tell(hand.claim, ending, settled.get(number))
        _ring(self._freed)

    def _attempt(self, hand: Hand) -> Ending | None:
        """How an attempt ends; None where it was broken off for another worker to go on with."""
        span = _span(hand.claim)
        with within(span):
            ending = self._carry_out(hand)
        if span is not None:
            _end_span(span, ending)
        return ending

    def _carry_out(self, hand: Hand) -> Ending | None:
        claim = hand.claim
        try:
            carrier = Carrier(
                local=self.registries.local,
                remote=self.registries.remote(claim.registry),
                sessions=self.sessions,
                shelf=self._shelf_of(claim),
                parallel=in_parallel,
            )
            return carrier.carry_out(claim, hand.meter, hand.say)
        except GreenletExit:
            return _stopped(hand)
        except BreakwaterError as error:
            hand.say(error.sentence)
            return _failed(hand, error)
        except Exception as error:
            log.exception("task_failed", task_id=claim.task_id)
            return _failed(hand, BreakwaterError(f"a fault of Breakwater's own: {type(error).__name__}"))

    def _shelf_of(self, claim: Claim) -> Shelf:
        """What a dry run believes to have brought, nobody else may believe."""
        if not claim.dry_run:
            return self._shelf
        under_way = {hand.claim.execution_id for hand in self.hands.values()}
        self._dry = {number: shelf for number, shelf in self._dry.items() if number in under_way}
        return self._dry.setdefault(claim.execution_id, Shelf())

    def _throttle(self, claim: Claim) -> Callable[[int], None] | None:
        """One bucket for all tasks of a policy here; `report` tells it what others have of it."""
        speed = claim.policy.speed
        if speed <= 0:
            return None
        known = self._throttles.get(claim.policy.id)
        if known is None or known[0] != speed:
            known = self._throttles[claim.policy.id] = (speed, Throttle(speed * KIBIBYTE))
        return known[1].take


def context_of(settings: Settings) -> EventContext:
    """Whoever replicates, where nobody has asked for it."""
    principal = Principal.system("replication")
    return EventContext(
        instance_id=settings.instance_id, actor=Actor(kind=ActorKind.SYSTEM, name=principal.name)
    )


def in_parallel(functions: Sequence[Callable[[], None]]) -> None:
    """Run functions in green threads, a few at once; the first error ends them all."""
    if len(functions) < 2:  # noqa: PLR2004 - one needs no other thread
        for function in functions:
            function()
        return
    threads: list[Any] = []
    room = eventlet.GreenPool(BLOBS_AT_ONCE)
    try:
        # a green thread begins without the context of whoever begins it
        threads.extend(room.spawn(copy_context().run, function) for function in functions)
        for thread in threads:
            thread.wait()
    finally:
        for thread in threads:
            thread.kill()


def _ring(event: eventlet.event.Event) -> None:
    if not event.ready():
        event.send()


def _tell(claim: Claim, ending: Ending, state: TaskState | None) -> None:
    log.info(
        "replication_task",
        task_id=claim.task_id,
        execution_id=claim.execution_id,
        policy=claim.policy.name,
        operation=claim.operation.value,
        source=claim.source,
        target=claim.target,
        attempt=claim.attempt,
        state=state.value if state else "lost",
        fault=ending.fault.value if ending.fault else None,
        message=ending.message,
        sent=ending.progress.bytes_sent,
    )


def _span(claim: Claim) -> Span | None:
    """Of an attempt: below what the task was made for, or where that is not known, in a trace of its own."""
    here = tracer()
    if here is None:
        return None
    name = f"replicate {claim.operation.value}"
    attributes: dict[str, Attribute] = {
        "breakwater.replication.policy": claim.policy.name,
        "breakwater.replication.execution_id": claim.execution_id,
        "breakwater.replication.task_id": claim.task_id,
        "breakwater.replication.source": claim.source,
        "breakwater.replication.target": claim.target,
        "breakwater.replication.registry": claim.registry.name,
        "breakwater.attempt": claim.attempt,
    }
    span = here.after(claim.traceparent, name, Kind.INTERNAL, attributes)
    return span or here.root(name, Kind.INTERNAL, attributes)


def _end_span(span: Span, ending: Ending | None) -> None:
    """None of what a registry has said goes with it: that is in the task's log."""
    if ending is None:
        span.end({"breakwater.replication.outcome": "handed_on"})
        return
    outcome: dict[str, Attribute] = {
        "breakwater.replication.outcome": ending.state.value,
        "breakwater.replication.sent_bytes": ending.progress.bytes_sent,
    }
    span.end(outcome, error=ending.fault.value if ending.fault else "")


def _stopped(hand: Hand) -> Ending | None:
    """How something ends that is broken off: None where another worker is to go on with it."""
    if not hand.stopping:
        return None
    return Ending(state=TaskState.STOPPED, message="stopped", progress=hand.meter.now)


def _failed(hand: Hand, error: BreakwaterError) -> Ending:
    known = error if isinstance(error, AttemptFailed) else AttemptFailed(Fault.INTERNAL, error.sentence)
    return Ending(
        state=TaskState.FAILED,
        message=known.sentence,
        fault=known.fault,
        after=known.after,
        progress=hand.meter.now,
    )


def _resolve(*question: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as getaddrinfo takes it
    """Ask for a name's addresses in a thread: the system's resolver would stop every green thread."""
    found: list[tuple[Any, ...]] = eventlet.tpool.execute(socket.getaddrinfo, *question)
    return found


def _now() -> datetime:
    return datetime.now(UTC)
