"""A metric as it is declared: docs/metrics.md is made of these, and so is every answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

PREFIX: Final = "breakwater_"

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""
Buckets = tuple[tuple[str, ...], Sequence[tuple[str, float]], float]
"""The values of the labels, each upper bound with how many are below it, and the sum of all."""


class Kind(StrEnum):
    """What the values of a metric mean."""

    GAUGE = "gauge"
    """How something is now."""
    COUNTER = "counter"
    """How often something has happened; its name ends in `_total`."""
    HISTOGRAM = "histogram"
    """How something spreads; its names end in `_bucket`, `_sum` and `_count`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric."""

    kind: Kind
    name: str
    """Without the prefix, and without what the kind adds."""
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """As it is asked for, but for what a histogram adds."""
        return f"{PREFIX}{self.name}{'_total' if self.kind is Kind.COUNTER else ''}"

    @property
    def sample_names(self) -> tuple[str, ...]:
        """The names that its values bear."""
        if self.kind is Kind.HISTOGRAM:
            return tuple(f"{self.full_name}_{each}" for each in ("bucket", "sum", "count"))
        return (self.full_name,)

    def told(self, samples: Iterable[Sample]) -> Metric:
        """With its values: of a gauge or a counter."""
        family = CounterMetricFamily if self.kind is Kind.COUNTER else GaugeMetricFamily
        metric = family(PREFIX + self.name, self.meaning, labels=self.labels)
        for labels, value in samples:
            metric.add_metric(labels, value)
        return metric

    def value(self, value: float) -> Metric:
        """With its one value, where it has no labels."""
        return self.told([((), value)])

    def spread(self, samples: Iterable[Buckets]) -> Metric:
        """With its values: of a histogram."""
        metric = HistogramMetricFamily(PREFIX + self.name, self.meaning, labels=self.labels)
        for labels, buckets, total in samples:
            metric.add_metric(labels, list(buckets), total)
        return metric


def gauge(name: str, meaning: str, *labels: str) -> Family:
    """Declare one."""
    return Family(kind=Kind.GAUGE, name=name, meaning=meaning, labels=labels)


def counter(name: str, meaning: str, *labels: str) -> Family:
    """Declare one."""
    return Family(kind=Kind.COUNTER, name=name, meaning=meaning, labels=labels)
