"""The metrics of replication: how far policies are behind, what they have done, and whether anybody works."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import Scrape
from gateway.core.metrics.family import Family, counter, gauge
from services.replication.domain.execution import ExecutionState
from services.replication.domain.registry import Health
from services.replication.domain.tally import Figure
from services.replication.domain.task import Fault, TaskState
from services.replication.queries.figures import (
    PolicyFigures,
    all_registries,
    living_workers,
    policy_figures,
)
from shared.auth.roles import Permission

_PREFIX: Final = "replication_"
_POLICY: Final = ("policy_id", "policy")

More = tuple[tuple[str, ...], float]
"""The values of the labels beyond those of the policy, and the value."""
Read = Callable[[PolicyFigures, datetime], Sequence[More]]

HEALTHY: Final = gauge(
    _PREFIX + "registry_healthy",
    "Whether a registry answered when it was last asked; without a value until it was.",
    "registry_id",
    "registry",
    "type",
)
WORKERS: Final = gauge(_PREFIX + "workers", "Processes that copy, and have said so within a minute.")


class ReplicationMetrics:
    """Component replication."""

    asks_parts = False
    needs: tuple[Permission, ...] = (("replication-policy", "list"), ("replication", "list"), ("registry", "list"))

    @property
    def catalogue(self) -> Sequence[Family]:
        """By policy, by registry, and of the workers."""
        return (*_OF_POLICIES, HEALTHY, WORKERS)

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """As the database has it."""
        policies = policy_figures(scrape.session)
        for family, read in _OF_POLICIES.items():
            yield family.told(
                ((str(policy.id), policy.name, *more), value)
                for policy in policies
                for more, value in read(policy, scrape.now)
            )
        yield HEALTHY.told(
            ((str(each.id), each.name, each.kind.value), each.status is Health.HEALTHY)
            for each in all_registries(scrape.session)
            if each.status is not Health.UNKNOWN
        )
        yield WORKERS.value(living_workers(scrape.session))


def _of_policy(declare: Callable[..., Family], name: str, meaning: str, *labels: str) -> Family:
    return declare(_PREFIX + name, meaning, *_POLICY, *labels)


def _age(moment: datetime | None, now: datetime) -> Sequence[More]:
    return [((), max(0.0, (now - moment).total_seconds()) if moment else 0.0)]


def _total(figure: Figure) -> Read:
    return lambda policy, _now: [((), policy.total(figure))]


def _totals(figure: Figure, kinds: Sequence[str]) -> Read:
    """Every kind from the start: a counter that appears with its first event hides that from a rate."""
    return lambda policy, _now: [((kind,), policy.total(figure, kind)) for kind in kinds]


def _tasks(policy: PolicyFigures, _now: datetime) -> Sequence[More]:
    lag = policy.lag
    return [(("pending",), lag.tasks - lag.running), (("running",), lag.running)]


def _executions(policy: PolicyFigures, _now: datetime) -> Sequence[More]:
    return [((state.value,), policy.executions.get(state, 0)) for state in ExecutionState]


_OF_POLICIES: Final[dict[Family, Read]] = {
    _of_policy(
        gauge,
        "lag_seconds",
        "Since when the newest artifact waits that is not at the target; 0 where nothing does.",
    ): lambda policy, now: _age(policy.lag.newest_at, now),
    _of_policy(
        gauge,
        "oldest_unsynced_seconds",
        "The same of the oldest; what failed and is missing counts from its failure on.",
    ): lambda policy, now: _age(policy.lag.since, now),
    _of_policy(
        gauge,
        "artifacts_waiting",
        "Changes that no execution is about yet, and tasks that have not ended; none of a dry run.",
    ): lambda policy, _now: [((), policy.lag.waiting)],
    _of_policy(
        gauge, "tasks", "Tasks that are pending or running; none of a dry run.", "state"
    ): _tasks,
    _of_policy(gauge, "executions", "Executions that are kept.", "state"): _executions,
    _of_policy(
        counter,
        "sent_bytes",
        "Bytes sent by attempts that came to an end; not by one whose worker was lost.",
    ): _total(Figure.BYTES_SENT),
    _of_policy(
        counter, "artifacts_copied", "Artifacts put at the target; not those found there."
    ): _total(Figure.ARTIFACTS_COPIED),
    _of_policy(
        counter, "ended_tasks", "Tasks that succeeded, failed or were stopped.", "outcome"
    ): _totals(Figure.TASKS, [state.value for state in TaskState if not state.is_open]),
    _of_policy(
        counter,
        "failures",
        "Attempts that failed, also those tried again; and tasks given up without one.",
        "reason",
    ): _totals(Figure.FAILURES, [fault.value for fault in Fault]),
}
