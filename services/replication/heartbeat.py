"""A worker's beat, in a thread of its own that shares nothing with the work: no hub, no lock, no Python but this.

It speaks with PostgreSQL through libpq alone, whose calls wait outside Python.
"""

import time
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from psycopg import pq

BEAT_SECONDS: Final = 3.0

_BEAT: Final = b"UPDATE replication.pools SET heartbeat_at = now() WHERE id = $1"


class Heartbeat:
    """Beats until it is stopped; `lost` once the row is gone: others have taken over what this process held."""

    def __init__(
        self, worker: UUID, conninfo: str, *, start: Callable[[Callable[[], None]], Any],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._worker = str(worker).encode()
        self._conninfo = conninfo.encode()
        self._sleep = sleep
        self._connection: pq.abc.PGconn | None = None
        self._stopped = False
        self.lost = False
        start(self._run)

    def stop(self) -> None:
        """Beat no more; within one beat the thread ends."""
        self._stopped = True

    def _run(self) -> None:
        while not self._stopped and not self.lost:
            self._beat()
            self._sleep(BEAT_SECONDS)
        if self._connection is not None:
            self._connection.finish()

    def _beat(self) -> None:
        """One beat; where the database is away, the next one tries again."""
        if self._connection is None:
            opened = pq.PGconn.connect(self._conninfo)
            if opened.status != pq.ConnStatus.OK:
                opened.finish()
                return
            self._connection = opened
        answer = self._connection.exec_params(_BEAT, [self._worker])
        if answer.status == pq.ExecStatus.COMMAND_OK:
            self.lost = answer.command_tuples == 0
        else:
            self._connection.finish()
            self._connection = None
