"""This process as a pool of its service, for as long as it runs."""

from nameko.extensions import DependencyProvider
from sqlalchemy import Table
from sqlalchemy.orm import Session, sessionmaker

from shared.db import unavailable_when_down
from shared.messaging.forever import Stopping
from shared.pools import BEAT_SECONDS, Pool, beat, leave


class Working(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The pool that this process is, the same from its start to its end."""

    def __init__(self, *, concurrency: int) -> None:
        self._concurrency = concurrency

    def setup(self) -> None:
        """Choose the id."""
        self._pool = Pool.of_this_process(self._concurrency)

    def get_dependency(self, _worker: object) -> Pool:
        """The same for every worker."""
        return self._pool


def beat_on(sessions: sessionmaker[Session], pools: Table, pool: Pool, stopping: Stopping) -> None:
    """Beat until the process is to end, and then be listed no more. Raises Unavailable where the database is away."""
    while True:
        with unavailable_when_down(), sessions.begin() as session:
            beat(session, pools, pool)
        if stopping.wait(BEAT_SECONDS):
            break
    with unavailable_when_down(), sessions.begin() as session:
        leave(session, pools, pool)
