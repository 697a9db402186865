"""The part that copies: takes tasks, holds them by its beat, and has them carried out.

As many processes of it may run as one likes.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import eventlet.patcher
from nameko.extensions import DependencyProvider
from psycopg.conninfo import make_conninfo

from services.replication.commands import claiming
from services.replication.commands.waking import TASKS
from services.replication.crew import BUSY_SECONDS, ENOUGH, POLL_SECONDS, TASKS_AT_ONCE, Crew
from services.replication.heartbeat import Heartbeat
from services.replication.tables import pools
from shared import logging
from shared.db import engine, session_factory, unavailable_when_down
from shared.errors import Unavailable
from shared.messaging.dependencies import Configured, settings_of, tally_of
from shared.messaging.forever import Stopping, forever
from shared.pools import Pool, beat
from shared.postgres import connect
from shared.settings import Settings

REPORT_SECONDS: Final = 0.4
"""So often progress is written down, and whether something is to be stopped is asked."""

log = logging.get()


class Crewed(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """Gives workers the one Crew of the process."""

    def setup(self) -> None:
        """Read what there is to read; nothing connects yet. Raises ConfigurationError."""
        settings = settings_of(self.container)
        self._engine = engine(settings, pool_size=TASKS_AT_ONCE + 8)
        self._crew = Crew(settings, session_factory(self._engine), tally_of(self.container))

    def stop(self) -> None:
        """Close what the pool holds."""
        self._engine.dispose()

    def get_dependency(self, _worker: object) -> Crew:
        """The same for every worker."""
        return self._crew


class WorkerService:
    """Works on tasks; as many processes of it as one likes."""

    name = "replication"

    settings: Settings = Configured()
    crew: Crew = Crewed()

    @forever
    def work(self, stopping: Stopping) -> None:
        """Take tasks as hands get free."""
        crew = self.crew
        crew.pool = Pool.of_this_process(TASKS_AT_ONCE)
        with unavailable_when_down(), crew.sessions.begin() as session:
            beat(session, pools, crew.pool)
        heartbeat = Heartbeat(crew.pool.id, conninfo_of(self.settings), start=_in_a_thread, sleep=_real_sleep)
        try:
            while not stopping and not heartbeat.lost:
                try:
                    self._take_tasks(stopping, heartbeat)
                except Unavailable as error:
                    # what is in hand goes on: it asks for the database again when it ends
                    log.warning("tasks_not_taken", reason=error.sentence, retry_in=POLL_SECONDS)
                    stopping.wait(POLL_SECONDS)
        finally:
            heartbeat.stop()
            crew.let_go()

    @forever
    def settle(self, stopping: Stopping) -> None:
        """Write down how tasks ended."""
        self.crew.settle(stopping)

    @forever
    def report(self, stopping: Stopping) -> None:
        """Write down how far all is."""
        while not stopping.wait(REPORT_SECONDS):
            if self.crew.hands or self.crew.is_unsure:
                with unavailable_when_down():
                    self.crew.report()

    def _take_tasks(self, stopping: Stopping, heartbeat: Heartbeat) -> None:
        """Take tasks until the end, or until we are held for dead. Raises Unavailable."""
        crew = self.crew
        with unavailable_when_down(), connect(self.settings) as database:
            database.execute(f"LISTEN {TASKS}".encode())
            while not stopping and not heartbeat.lost:
                if crew.free < ENOUGH and crew.hands:
                    crew.wait_for_room()
                if crew.free and not self._take():
                    # whoever has something in hand looks again when it is done
                    wait = POLL_SECONDS if not crew.hands else BUSY_SECONDS
                    for _ in database.notifies(timeout=wait, stop_after=1):
                        pass

    def _take(self) -> bool:
        with self.crew.sessions.begin() as session:
            claims = claiming.claim(session, self.crew.pool.id, free=self.crew.free, now=_now())
        self.crew.take(claims)
        return bool(claims)


def conninfo_of(settings: Settings) -> str:
    """The database as libpq reads it."""
    return make_conninfo(**settings.conninfo())  # type: ignore[arg-type]  # psycopg types its keywords one by one


def _in_a_thread(function: Callable[[], None]) -> None:
    """A thread of the system's: what stalls the hub does not stall it."""
    eventlet.patcher.original("threading").Thread(target=function, daemon=True).start()


def _real_sleep(seconds: float) -> None:
    eventlet.patcher.original("time").sleep(seconds)


def _now() -> datetime:
    return datetime.now(UTC)
