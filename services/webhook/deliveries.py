"""The part that sends webhooks: takes events in, and delivers what is due with a bounded number of workers.

It alone makes connections to where project administrators say, with rights for little else. What it has in hand when it
is killed is sent again by the next one.
"""

import random
import socket
from datetime import UTC, datetime
from typing import Any, Final

import eventlet
import eventlet.semaphore
import eventlet.tpool
from nameko.extensions import DependencyProvider
from sqlalchemy.orm import Session, sessionmaker

from services.webhook.commands import delivery
from services.webhook.commands.enqueue import CHANNEL, enqueue, wake
from services.webhook.domain.delivery import Claim, Fault, Outcome
from services.webhook.domain.shares import Shares
from services.webhook.sender import Sender
from services.webhook.tables import pools
from shared import logging
from shared.db import unavailable_when_down
from shared.errors import BreakwaterError
from shared.events import Envelope
from shared.messaging.consume import consume
from shared.messaging.dependencies import Configured, Counting, settings_of
from shared.messaging.forever import Stopping, forever
from shared.messaging.pool import Working, beat_on
from shared.messaging.sessions import Database
from shared.metrics.figures import DELIVERIES
from shared.metrics.tally import Tally
from shared.outbound import Guard, Reach
from shared.pools import Pool
from shared.postgres import connect
from shared.secrets import Sealer
from shared.settings import Settings

WORKERS: Final = 256
"""Green threads, nearly all of which do nothing but wait for a target's answer."""
AT_ONCE: Final = 32
"""Deliveries that are claimed together."""
WRITERS: Final = 8
"""Who writes down at the same time how an attempt went: nobody has a connection to the database before."""
POLL_SECONDS: Final = 1.0
"""Where NOTIFY does not come through, and for what falls due by itself."""
ATTEMPT_SECONDS: Final = 20
"""However slowly a target drips its answer; within the lease."""
LAST_SECONDS: Final = 8
"""For what is in hand when the process is to end."""
UPKEEP_SECONDS: Final = 600.0

log = logging.get()


class Sending(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """Gives workers the one Sender."""

    def setup(self) -> None:
        """Read the key once; raises ConfigurationError where there is none."""
        settings = settings_of(self.container)
        guard = Guard(Reach.PUBLIC, settings.outbound_allow, resolve=_resolve)
        # one that waits for a name's addresses waits in a thread
        eventlet.tpool.set_num_threads(WORKERS)
        self._sender = Sender(guard, Sealer.read(settings.secrets / "config-key"), clock=_now)

    def get_dependency(self, _worker: object) -> Sender:
        """The same for every worker."""
        return self._sender


class DeliveryService:
    """Consumes the queue `webhook`; sends from the table, not from the queue."""

    name = "webhook"

    settings: Settings = Configured()
    sessions: "sessionmaker[Session]" = Database(pool_size=WRITERS + 4)
    sender: Sender = Sending()
    pool: Pool = Working(concurrency=WORKERS)
    tally: Tally = Counting()

    @consume(queue="webhook", batch=100, pace=0.1)
    def take(self, envelopes: list[Envelope]) -> None:
        """Commit a batch's deliveries."""
        with self.sessions.begin() as session:
            added = enqueue(session, envelopes, host=registry_host(self.settings), now=_now())
        log.debug("webhooks_enqueued", received=len(envelopes), added=added)

    @forever
    def deliver(self, stopping: Stopping) -> None:
        """Hand what is due to workers as they get free; what they have in hand at the end, they finish."""
        workers, shares = eventlet.GreenPool(WORKERS), Shares(WORKERS)
        writing = eventlet.semaphore.Semaphore(WRITERS)
        try:
            with unavailable_when_down(), connect(self.settings) as database:
                database.execute(f"LISTEN {CHANNEL}".encode())
                while not stopping:
                    if not self._hand_out(workers, shares, writing):
                        for _ in database.notifies(timeout=POLL_SECONDS, stop_after=1):
                            pass
        finally:
            with eventlet.Timeout(LAST_SECONDS, exception=False):
                workers.waitall()

    @forever
    def keep(self, stopping: Stopping) -> None:
        """Give up what has expired and drop what is old, a little at a time."""
        while True:
            for work in (delivery.expire, delivery.prune):
                while not stopping:
                    with self.sessions.begin() as session:
                        if not work(session, now=_now()):
                            break
            if stopping.wait(UPKEEP_SECONDS):
                return

    @forever
    def beat(self, stopping: Stopping) -> None:
        """Be listed among those who work jobs."""
        beat_on(self.sessions, pools, self.pool, stopping)

    def _hand_out(self, workers: Any, shares: Shares, writing: Any) -> bool:  # noqa: ANN401 - eventlet has no types
        """Start a worker for each target that is due and whose turn it is; whether there was one."""
        with self.sessions.begin() as session:
            claims = delivery.claim(session, shares, most=AT_ONCE, pool_id=self.pool.id, now=_now())
        for claim in claims:
            shares.begin(claim.project_id, quick=claim.quick)
            workers.spawn_n(self._send, claim, shares, writing)
        return bool(claims)

    def _send(self, claim: Claim, shares: Shares, writing: Any) -> None:  # noqa: ANN401 - eventlet has no types
        """Send one and write down how it went. What goes wrong here leaves the lease to run out."""
        try:
            try:
                outcome = self._attempt(claim)
            finally:
                # before the others are woken, who look for what is free
                shares.end(claim.project_id, quick=claim.quick)
            with writing, unavailable_when_down(), self.sessions.begin() as session:
                state = delivery.record(session, claim, outcome, now=_now(), chance=random.random())
                wake(session)
        except BreakwaterError as error:
            log.warning("delivery_not_recorded", delivery=str(claim.uid), reason=error.sentence)
        except Exception:
            log.exception("delivery_failed", delivery=str(claim.uid))
        else:
            self.tally.count(DELIVERIES, state.value if state else "lost")
            log.info(
                "delivery_attempted",
                delivery=str(claim.uid),
                policy_id=claim.policy_id,
                event_type=claim.event_type,
                attempt=claim.number,
                state=state.value if state else "lost",
                outcome=outcome.message,
            )

    def _attempt(self, claim: Claim) -> Outcome:
        started_at = _now()
        try:
            with eventlet.Timeout(ATTEMPT_SECONDS):
                return self.sender.send(claim)
        except eventlet.Timeout:
            return Outcome(
                fault=Fault.SILENT,
                message=f"the target did not finish within {ATTEMPT_SECONDS} s",
                request="",
                response="",
                started_at=started_at,
                finished_at=_now(),
            )


def registry_host(settings: Settings) -> str:
    """The registry as clients name it, as far as a part can know that no client speaks to."""
    return str(settings.url).partition("://")[2].strip("/") if settings.url else f"{settings.bind}:{settings.port}"


def _resolve(*question: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - as getaddrinfo takes it
    """Ask for a name's addresses in a thread: the system's resolver would stop every green thread."""
    found: list[tuple[Any, ...]] = eventlet.tpool.execute(socket.getaddrinfo, *question)
    return found


def _now() -> datetime:
    return datetime.now(UTC)
