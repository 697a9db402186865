"""The audit service: every event becomes a record, in batches; the chain's head goes to the log each hour."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from services.audit.checking import verify_when_due
from services.audit.commands import forget_days, prepare_partitions, record_batch
from services.audit.domain.chain import ChainKey
from services.audit.key import chain_key_at_start
from services.audit.purging import carry_out_purge
from services.audit.queries.verification import HEAD_LOGGED, read_head
from services.audit.tables import pools
from shared import logging
from shared.events import Envelope
from shared.messaging.consume import consume
from shared.messaging.dependencies import Configured
from shared.messaging.forever import Stopping, forever
from shared.messaging.pool import Working, beat_on
from shared.messaging.sessions import Database
from shared.pools import Pool
from shared.settings import Settings

HEAD_LOGGED_SECONDS: Final = 3600
PURGE_SECONDS: Final = 2.0
CHECK_SECONDS: Final = 2.0

log = logging.get()


class AuditService:
    """Consumes the queue `audit`: one transaction a batch, committed before anything is acknowledged."""

    name = "audit"

    settings: Settings = Configured()
    sessions: "sessionmaker[Session]" = Database(pool_size=3)
    pool: Pool = Working(concurrency=1)

    _key: ChainKey | None = None

    @consume(queue="audit", batch=200, pace=0.02)
    def record(self, envelopes: list[Envelope]) -> None:
        """Record a batch."""
        with self.sessions.begin() as session:
            added = record_batch(session, envelopes, key=self._chain_key(session), now=datetime.now(UTC))
        log.debug("recorded", received=len(envelopes), added=added)

    @forever
    def keep(self, stopping: Stopping) -> None:
        """Make partitions ahead of need, and let the log witness where the chain ends."""
        while True:
            with self.sessions.begin() as session:
                prepare_partitions(session, datetime.now(UTC))
                forget_days(session, datetime.now(UTC))
                head = read_head(session)
            log.info(HEAD_LOGGED, sequence=head.sequence, mac=head.mac.hex())
            if stopping.wait(HEAD_LOGGED_SECONDS):
                return

    @forever
    def purge(self, stopping: Stopping) -> None:
        """Carry out the purges that are asked for, one after the other."""
        while not stopping.wait(PURGE_SECONDS):
            while not stopping and carry_out_purge(
                self.sessions,
                key_of=self._chain_key,
                pool_id=self.pool.id,
                instance_id=self.settings.instance_id,
                clock=lambda: datetime.now(UTC),
            ):
                pass

    @forever
    def check(self, stopping: Stopping) -> None:
        """Verify the newest links each hour, and whenever somebody asks."""
        while not stopping.wait(CHECK_SECONDS):
            verify_when_due(self.sessions, key_of=self._chain_key, now=datetime.now(UTC))

    @forever
    def beat(self, stopping: Stopping) -> None:
        """Be listed among those who work jobs."""
        beat_on(self.sessions, pools, self.pool, stopping)

    def _chain_key(self, session: Session) -> ChainKey:
        cls = type(self)
        if cls._key is None:
            cls._key = chain_key_at_start(session, self.settings)
        return cls._key
