"""Component storage: what is stored, what room there is, and what garbage collection has done."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family, gauge
from gateway.core.metrics.figures import families_of, family_of
from services.api.domain.retention import Status
from services.api.queries.collection import last_collection
from services.api.queries.statistic import stored
from shared.auth.roles import Permission
from shared.metrics.figures import DISK_FREE, DISK_TOTAL
from shared.settings import Settings

USED: Final = gauge("storage_used_bytes", "What all projects store, as quotas count it: each blob once a project.")
PROJECTS: Final = gauge("projects", "Projects that there are.")
REPOSITORIES: Final = gauge("repositories", "Repositories that there are.")
ARTIFACTS: Final = gauge("artifacts", "Artifacts that there are.")
DATABASE: Final = gauge("database_bytes", "Size of the database.")
REFUSING: Final = gauge(
    "pushes_refused", "Whether pushes are refused: for want of disk space, or while garbage is collected.", "why"
)
COLLECTED: Final = gauge(
    "gc_finished_timestamp_seconds",
    "When the last collection of garbage ended that was no dry run, in seconds since 1970; no value before that.",
)
SUCCEEDED: Final = gauge("gc_succeeded", "Whether it succeeded: 1 or 0.")
FREED: Final = gauge("gc_freed_bytes", "What it has freed.")
COLLECTING: Final = gauge("gc_running", "Whether one is under way or waits, a dry run too.")
_FIGURES: Final = (DISK_TOTAL, DISK_FREE)


class StorageMetrics:
    """Component storage."""

    asks_parts = False
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = (
        USED,
        PROJECTS,
        REPOSITORIES,
        ARTIFACTS,
        DATABASE,
        *(family_of(each) for each in _FIGURES),
        REFUSING,
        COLLECTED,
        SUCCEEDED,
        FREED,
        COLLECTING,
    )

    def __init__(self, settings: Settings) -> None:
        self._flags = {"disk": settings.readonly_flag, "collecting": settings.collecting_flag}

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """The disk is told by the metadata service, which watches it."""
        now = stored(scrape.session)
        yield USED.value(now.bytes)
        yield PROJECTS.value(now.projects)
        yield REPOSITORIES.value(now.repositories)
        yield ARTIFACTS.value(now.artifacts)
        yield DATABASE.value(now.database_bytes)
        yield from families_of(_FIGURES, scrape.told)
        yield REFUSING.told(((why,), flag.exists()) for why, flag in self._flags.items())
        last = last_collection(scrape.session)
        if last.finished_at is not None:
            yield COLLECTED.value(last.finished_at.timestamp())
            yield SUCCEEDED.value(last.status is Status.SUCCESS)
            yield FREED.value(last.freed)
        yield COLLECTING.value(last.is_open)
