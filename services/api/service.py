"""The metadata service: keeps the catalogue true to the registry.

Events are hints to look; what nobody told of is found by asking; and a disk that fills up closes the door in time.
"""

import shutil
from datetime import UTC, datetime, timedelta
from typing import Final

from nameko.extensions import DependencyProvider
from sqlalchemy.orm import Session, sessionmaker

from services.api.collector import Collector
from services.api.commands import expectation, nightly
from services.api.commands.audit_purge import request_due
from services.api.commands.collecting import carry_out_collection
from services.api.commands.collection import request_due as request_due_collection
from services.api.commands.comparison import Comparison, Pace
from services.api.commands.observation import observe, raise_refused
from services.api.commands.pulls import count_pulls, forget_seen, unknown_artifacts
from services.api.commands.quota import forget_departed, forget_reserved
from services.api.commands.reconcile import settle_expected
from services.api.commands.retaining import carry_out, claim_task
from services.api.commands.retention import start_due
from services.api.commands.sampling import sample_storage
from services.api.domain.disk import Reserve, is_nearly_full
from services.api.domain.hints import hints_of
from services.api.domain.observation import Unread
from services.api.errors import AlreadyComparing
from services.api.queries.configuration import is_read_only
from services.api.tables import pools
from shared import logging
from shared.db import unavailable_when_down
from shared.errors import Unavailable
from shared.events import Envelope
from shared.messaging.consume import consume
from shared.messaging.dependencies import Configured, Counting, settings_of, tally_of
from shared.messaging.forever import Stopping, every, forever
from shared.messaging.pool import Working, beat_on
from shared.messaging.sessions import Database
from shared.metrics.figures import DISK_FREE, DISK_TOTAL
from shared.metrics.tally import Tally
from shared.pools import Pool
from shared.registry.client import RegistryClient
from shared.registry.tokens import SystemTokens
from shared.settings import Settings

SETTLE_SECONDS: Final = 5.0
RETENTION_SECONDS: Final = 2.0
COLLECTION_SECONDS: Final = 2.0
DISK_SECONDS: Final = 10.0
FREEZING_SECONDS: Final = 1.0
COMPARISON_SECONDS: Final = 60.0
CLEANING_SECONDS: Final = 600.0
SAMPLING_SECONDS: Final = 600.0
KEPT: Final = timedelta(days=7)
"""How long counted events and settled expectations are remembered."""
DEPARTING: Final = timedelta(hours=1)
"""How long a deletion counts in what is shown before the catalogue has followed it."""
MANIFESTS_PER_SECOND: Final = 100.0
"""How fast the nightly comparison goes, at most."""

log = logging.get()


class Registry(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The registry, as `system:metadata`."""

    def setup(self) -> None:
        """Nothing connects yet."""
        settings = settings_of(self.container)
        tokens = SystemTokens(settings.token_mounts, "metadata", settings.secret("system-credential"))
        self._client = RegistryClient(settings.registry, tokens, tally=tally_of(self.container))

    def get_dependency(self, _worker: object) -> RegistryClient:
        """The same for every worker."""
        return self._client


class MetadataService:
    """Consumes the queue `metadata`; compares, settles and watches by itself."""

    name = "metadata"

    settings: Settings = Configured()
    sessions: "sessionmaker[Session]" = Database(pool_size=9)
    registry: RegistryClient = Registry()
    pool: Pool = Working(concurrency=1)
    tally: Tally = Counting()

    @consume(queue="metadata", batch=100, pace=0.1)
    def observe(self, envelopes: list[Envelope]) -> None:
        """Look where a batch of events points, one transaction a repository, and count its pulls in one.

        Raises RegistryRefused at the end, when all else is recorded, where one of them cannot be read.
        """
        hints = hints_of(envelopes)
        if hints.pulls:
            with self.sessions() as session:
                unknown = unknown_artifacts(session, hints.pulls)
            for pull in hints.pulls:
                if (pull.repository, pull.digest) in unknown:
                    hints.look_at(pull.repository, pull.digest, pull.tag, pull.time)
        unread: list[Unread] = []
        for repository, hint in hints.repositories.items():
            with self.sessions.begin() as session:
                changes = observe(session, self.registry, repository, digests=hint.digests, tags=hint.tags)
            unread += _told(changes.unread)
        if hints.pulls:
            with self.sessions.begin() as session:
                count_pulls(session, hints.pulls)
        raise_refused(unread)

    @forever
    def settle(self, stopping: Stopping) -> None:
        """Tell of manifest writes that the registry did not notify."""
        while not stopping.wait(SETTLE_SECONDS):
            now = datetime.now(UTC)
            told = settle_expected(
                self.sessions,
                self.registry,
                instance_id=self.settings.instance_id,
                now=now,
                is_stopping=lambda: bool(stopping),
            )
            if told:
                log.info("lost_notifications_told", count=told)

    @forever
    def compare(self, stopping: Stopping) -> None:
        """Compare everything each night, and go on where an interrupted comparison stood."""
        while not stopping.wait(COMPARISON_SECONDS):
            with self.sessions() as session:
                due = nightly.is_due(session, datetime.now(UTC))
            if due:
                try:
                    self._compare_all(stopping)
                except AlreadyComparing:
                    log.info("comparison_put_off", reason="another one is running")

    @forever
    def retain(self, stopping: Stopping) -> None:
        """Begin what is due by a schedule, and carry out retention that has begun, a repository at a time."""
        while not stopping.wait(RETENTION_SECONDS):
            while not stopping and self._start_due():
                pass
            while not stopping and self._retain_one(stopping):
                pass

    @forever
    def collect(self, stopping: Stopping) -> None:
        """Collect garbage where that is asked for."""
        settings = self.settings
        collector = Collector(settings.registry_control, lambda: settings.secret("registryctl-credential"))
        while not stopping.wait(COLLECTION_SECONDS):
            ended = carry_out_collection(
                self.sessions,
                self.registry,
                collector,
                pool_id=self.pool.id,
                instance_id=settings.instance_id,
                clock=lambda: datetime.now(UTC),
                is_stopping=lambda: bool(stopping),
                registries=settings.pods,
            )
            if ended is not None:
                log.info("garbage_collected", ended=ended)

    @every(FREEZING_SECONDS)
    def follow_read_only_mode(self) -> None:
        """Have the proxy say it: a client whose token allows no push is told of a want of rights otherwise."""
        try:
            with unavailable_when_down(), self.sessions() as session:
                frozen = is_read_only(session)
        except Unavailable as error:
            log.debug("read_only_mode_unknown", reason=error.sentence)
            return
        flag = self.settings.frozen_flag
        if frozen and not flag.exists():
            flag.touch()
            log.info("read_only_mode_begun")
        elif not frozen and flag.exists():
            flag.unlink(missing_ok=True)
            log.info("read_only_mode_ended")

    @every(DISK_SECONDS)
    def watch_disk(self) -> None:
        """Close the door for pushes while the registry's disk is nearly full; a bucket has no disk."""
        settings = self.settings
        if settings.s3_bucket:
            # from before the images lay in a bucket
            settings.readonly_flag.unlink(missing_ok=True)
            return
        try:
            disk = shutil.disk_usage(settings.storage)
        except OSError as error:
            log.debug("disk_not_watched", reason=str(error))
            return
        self.tally.set(DISK_TOTAL, disk.total)
        self.tally.set(DISK_FREE, disk.free)
        was = settings.readonly_flag.exists()
        reserve = Reserve(percent=settings.disk_reserve_percent, bytes=settings.disk_reserve_bytes)
        full = is_nearly_full(free=disk.free, total=disk.total, reserve=reserve, was=was)
        if full and not was:
            settings.readonly_flag.touch()
            log.error("pushes_refused", reason="the registry's disk is nearly full", free=disk.free, total=disk.total)
        elif was and not full:
            settings.readonly_flag.unlink(missing_ok=True)
            log.info("pushes_accepted", free=disk.free, total=disk.total)

    @every(SAMPLING_SECONDS)
    def sample(self) -> None:
        """Keep what each project holds, day by day."""
        with self.sessions.begin() as session:
            sample_storage(session, datetime.now(UTC))

    @forever
    def forget(self, stopping: Stopping) -> None:
        """Drop what was settled or counted long ago, a little at a time."""
        while True:
            before = datetime.now(UTC) - KEPT
            for purge in (forget_seen, expectation.purge, forget_reserved):
                while not stopping:
                    with self.sessions.begin() as session:
                        if not purge(session, before=before):
                            break
            with self.sessions.begin() as session:
                forget_departed(session, before=datetime.now(UTC) - DEPARTING)
            if stopping.wait(CLEANING_SECONDS):
                return

    @forever
    def beat(self, stopping: Stopping) -> None:
        """Be listed among those who work jobs."""
        beat_on(self.sessions, pools, self.pool, stopping)

    def _start_due(self) -> bool:
        with self.sessions.begin() as session:
            now = datetime.now(UTC)
            return (
                request_due(session, now=now)
                or request_due_collection(session, now=now)
                or start_due(session, instance_id=self.settings.instance_id, now=now)
            )

    def _retain_one(self, stopping: Stopping) -> bool:
        """Whether there was a task to do."""
        with self.sessions.begin() as session:
            claim = claim_task(
                session, pool_id=self.pool.id, instance_id=self.settings.instance_id, now=datetime.now(UTC)
            )
        if claim is None:
            return False
        ended = carry_out(
            self.sessions,
            self.registry,
            claim,
            clock=lambda: datetime.now(UTC),
            is_stopping=lambda: bool(stopping),
        )
        log.info("retention_task", task=claim.task_id, repository=claim.repository.text, ended=ended)
        return True

    def _compare_all(self, stopping: Stopping) -> None:
        with self.sessions() as session:
            bind = session.get_bind().engine
        with nightly.only_comparison(bind):
            comparison = Comparison(
                self.sessions,
                self.registry,
                instance_id=self.settings.instance_id,
                pace=Pace(MANIFESTS_PER_SECOND, sleep=stopping.wait),
            )
            names = comparison.names()
            with self.sessions.begin() as session:
                done = nightly.resume(session, datetime.now(UTC))
            if done is None:
                return
            log.info("comparison_begins", repositories=len(names), behind=done)
            for outcome in comparison.run([name for name in names if name > done]):
                with self.sessions.begin() as session:
                    nightly.advance(session, outcome.repository)
                _told(outcome.unread)
                if outcome.changed or outcome.skipped:
                    log.warning(
                        "comparison_found",
                        repository=outcome.repository,
                        added=outcome.added,
                        removed=outcome.removed,
                        tags_set=outcome.tags_set,
                        tags_removed=outcome.tags_removed,
                        skipped=outcome.skipped,
                    )
                if stopping:
                    return
            with self.sessions.begin() as session:
                nightly.finish(session, datetime.now(UTC))
            log.info("comparison_finished", repositories=len(names))


def _told(unread: tuple[Unread, ...]) -> tuple[Unread, ...]:
    for each in unread:
        log.warning("manifest_not_catalogued", artifact=str(each), reason=each.error.sentence)
    return unread
