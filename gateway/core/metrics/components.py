"""Every component by its name, and reading some of them for one scrape.

A part that is away costs its own numbers, never the answer: what could not be read is told as such.
"""

from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Final

from prometheus_client import Metric
from sqlalchemy import text

from gateway.core.metrics.collector import Collector, Scrape
from gateway.core.metrics.events import EventMetrics
from gateway.core.metrics.family import gauge
from gateway.core.metrics.parts import PartsMetrics, without_database
from gateway.core.metrics.record import RecordMetrics
from gateway.core.metrics.replication import ReplicationMetrics
from gateway.core.metrics.requests import RequestMetrics
from gateway.core.metrics.storage import StorageMetrics
from shared import logging
from shared.db import unavailable_when_down
from shared.errors import QueryGivenUp, Unavailable
from shared.settings import Settings

SECONDS: Final = 0.9
"""How long the database may take over all components; the least that each is given is a tenth of a second."""
LEAST_MILLISECONDS: Final = 100
_LIMIT: Final = text("SELECT set_config('statement_timeout', :milliseconds, true)")

READABLE: Final = gauge(
    "component_readable", "Whether a component of these metrics could be read in time: 1 or 0.", "component"
)


def build_components(settings: Settings) -> Mapping[str, Collector]:
    """All that `comp` can name."""
    return {
        "events": EventMetrics(),
        "parts": PartsMetrics(),
        "record": RecordMetrics(),
        "replication": ReplicationMetrics(),
        "requests": RequestMetrics(),
        "storage": StorageMetrics(settings),
    }


def read(chosen: Mapping[str, Collector], scrape: Scrape) -> list[Metric]:
    """Read some components; where the database is away, what is known without it."""
    families: list[Metric] = []
    readable: dict[str, bool] = {}
    deadline = monotonic() + SECONDS
    try:
        if any(component.asks_parts for component in chosen.values()):
            _ = scrape.questions
        for name, component in sorted(chosen.items(), key=lambda each: each[1].asks_parts):
            found = _read(component, scrape, max(LEAST_MILLISECONDS, int((deadline - monotonic()) * 1000)))
            families += found or ()
            readable[name] = found is not None
    except Unavailable as error:
        scrape.session.rollback()
        logging.get().warning("metrics.database_away", reason=error.sentence)
        return read_without_database(chosen, scrape)
    return [*families, _readable(readable)]


def read_without_database(chosen: Iterable[str], scrape: Scrape) -> list[Metric]:
    """Which parts are there, as far as they are asked directly."""
    return [*without_database(scrape.findings), _readable(dict.fromkeys(chosen, False))]


def _read(component: Collector, scrape: Scrape, milliseconds: int) -> list[Metric] | None:
    """None where the database took too long. Raises Unavailable, and what is no matter of the database."""
    try:
        with unavailable_when_down():
            scrape.session.execute(_LIMIT, {"milliseconds": str(milliseconds)})
            return list(component.families(scrape))
    except QueryGivenUp:
        scrape.session.rollback()
        return None


def _readable(components: Mapping[str, bool]) -> Metric:
    return READABLE.told(((name,), is_readable) for name, is_readable in components.items())
