"""The figures that parts tell of themselves, as metrics: added up over the processes of a part by the database."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.family import Buckets, Family, Kind
from shared.metrics.figures import SUM, Counter, Figure, State, Timing
from shared.metrics.queries import ToldFigure

_KINDS: Final = {Counter: Kind.COUNTER, Timing: Kind.HISTOGRAM, State: Kind.GAUGE}


def family_of(figure: Figure) -> Family:
    """The metric of a figure; the part that tells it is its first label."""
    return Family(
        kind=_KINDS[type(figure)], name=figure.name, meaning=figure.meaning, labels=("part", *figure.labels)
    )


def families_of(figures: Iterable[Figure], told: Iterable[ToldFigure]) -> Iterator[Metric]:
    """The metrics of some figures; what another version of the code has told under other labels is left out."""
    by_name: dict[str, list[ToldFigure]] = {}
    for each in told:
        by_name.setdefault(each.name, []).append(each)
    for figure in figures:
        width = len(figure.labels) + isinstance(figure, Timing)
        values = [each for each in by_name.get(figure.name, ()) if len(each.labels) == width]
        family = family_of(figure)
        if isinstance(figure, Timing):
            yield family.spread(_spread(figure, values))
        else:
            yield family.told(((each.part, *each.labels), each.value) for each in values)


def _spread(timing: Timing, values: Iterable[ToldFigure]) -> Iterator[Buckets]:
    """Counted by bucket; told by how many are below each bound."""
    for labels, group in groupby(values, key=lambda each: (each.part, *each.labels[:-1])):
        counted = {each.labels[-1]: each.value for each in group}
        below, buckets = 0.0, []
        for bound in timing.names:
            below += counted.get(bound, 0)
            buckets.append((bound, below))
        yield labels, buckets, counted.get(SUM, 0)
