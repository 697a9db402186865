"""The metrics of replication: how far policies are behind, what they have done, and whether anybody works."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy.orm import Session

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

_PREFIX: Final = "breakwater_replication_"
_POLICY: Final = ("policy_id", "policy")

Sample = tuple[tuple[str, ...], float]
"""The values of the labels beyond those of the policy, and the value."""
Family = tuple[type[GaugeMetricFamily | CounterMetricFamily], str, str, tuple[str, ...]]
"""What it is, its name, its meaning, its labels beyond those of the policy."""
Read = Callable[[PolicyFigures, datetime], Sequence[Sample]]


class ReplicationMetrics:
    """Component replication."""

    needs: tuple[Permission, ...] = (("replication-policy", "list"), ("replication", "list"), ("registry", "list"))

    def families(self, session: Session, *, now: datetime) -> Iterator[Metric]:
        """By policy, by registry, and of the workers."""
        policies = policy_figures(session)
        for (family, name, meaning, labels), read in _OF_POLICIES.items():
            told = family(_PREFIX + name, meaning, labels=(*_POLICY, *labels))
            for policy in policies:
                for more, value in read(policy, now):
                    told.add_metric((str(policy.id), policy.name, *more), value)
            yield told
        healthy = GaugeMetricFamily(
            _PREFIX + "registry_healthy",
            "Whether a registry answered when it was last asked; without a value until it was.",
            labels=("registry_id", "registry", "type"),
        )
        for each in all_registries(session):
            if each.status is not Health.UNKNOWN:
                healthy.add_metric((str(each.id), each.name, each.kind.value), each.status is Health.HEALTHY)
        yield healthy
        yield GaugeMetricFamily(
            _PREFIX + "workers", "Processes that copy, and have said so within a minute.", living_workers(session)
        )


def _age(moment: datetime | None, now: datetime) -> Sequence[Sample]:
    return [((), max(0.0, (now - moment).total_seconds()) if moment else 0.0)]


def _total(figure: Figure) -> Read:
    return lambda policy, _now: [((), policy.total(figure))]


def _totals(figure: Figure, kinds: Sequence[str]) -> Read:
    """Every kind from the start: a counter that appears with its first event hides that from a rate."""
    return lambda policy, _now: [((kind,), policy.total(figure, kind)) for kind in kinds]


def _tasks(policy: PolicyFigures, _now: datetime) -> Sequence[Sample]:
    lag = policy.lag
    return [(("pending",), lag.tasks - lag.running), (("running",), lag.running)]


def _executions(policy: PolicyFigures, _now: datetime) -> Sequence[Sample]:
    return [((state.value,), policy.executions.get(state, 0)) for state in ExecutionState]


_OF_POLICIES: Final[dict[Family, Read]] = {
    (
        GaugeMetricFamily,
        "lag_seconds",
        "Since when the newest artifact waits that is not at the target; 0 where nothing does.",
        (),
    ): lambda policy, now: _age(policy.lag.newest_at, now),
    (
        GaugeMetricFamily,
        "oldest_unsynced_seconds",
        "Since when the oldest artifact waits that is not at the target; 0 where nothing does.",
        (),
    ): lambda policy, now: _age(policy.lag.since, now),
    (
        GaugeMetricFamily,
        "artifacts_waiting",
        "Changes that no execution is about yet, and tasks that have not ended.",
        (),
    ): lambda policy, _now: [((), policy.lag.waiting)],
    (GaugeMetricFamily, "tasks", "Tasks that have not ended.", ("state",)): _tasks,
    (GaugeMetricFamily, "executions", "Executions that are kept.", ("state",)): _executions,
    (CounterMetricFamily, "sent_bytes", "Bytes that were sent.", ()): _total(Figure.BYTES_SENT),
    (
        CounterMetricFamily,
        "artifacts_copied",
        "Artifacts that were put at the target.",
        (),
    ): _total(Figure.ARTIFACTS_COPIED),
    (CounterMetricFamily, "ended_tasks", "Tasks that have ended.", ("outcome",)): _totals(
        Figure.TASKS, [state.value for state in TaskState if not state.is_open]
    ),
    (CounterMetricFamily, "failures", "Attempts that failed, and tasks given up without one.", ("reason",)): _totals(
        Figure.FAILURES, [fault.value for fault in Fault]
    ),
}
