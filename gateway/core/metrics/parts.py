"""Component parts: whether each part is there, what interrupts its work, and how many connections the proxy has."""

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family, counter, gauge
from gateway.core.metrics.figures import families_of, family_of
from gateway.core.metrics.probes import Findings
from shared.auth.roles import Permission
from shared.metrics.figures import INTERRUPTIONS
from shared.metrics.queries import silences
from shared.metrics.recording import SILENT_SECONDS

TELLING: Final = ("token", "core", "events", "intake", "relay", "audit", "metadata", "webhook", "replication")
"""Parts that tell of themselves."""

UP: Final = gauge(
    "up",
    "Whether a part is there: 1 or 0. Of a service, whether it has told the database of itself within "
    f"{SILENT_SECONDS:.0f} seconds; while the database is away nothing is known of those.",
    "part",
)
ANSWER: Final = gauge(
    "answer_seconds",
    "How long a part that is asked at each scrape took to answer; without a value where it did not.",
    "part",
)
CONNECTIONS: Final = gauge("proxy_connections", "Connections of the proxy, by what it does with them.", "state")
ACCEPTED: Final = counter("proxy_accepted_connections", "Connections that the proxy has accepted since it was started.")
DROPPED: Final = counter("proxy_dropped_connections", "Connections that the proxy had no room for.")
REQUESTS: Final = counter("proxy_requests", "Requests that the proxy has been sent since it was started.")


class PartsMetrics:
    """Component parts."""

    asks_parts = True
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = (UP, ANSWER, family_of(INTERRUPTIONS), CONNECTIONS, ACCEPTED, DROPPED, REQUESTS)

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """The database answers, or this does not come to its end."""
        begun = monotonic()
        silent = silences(scrape.session)
        took = monotonic() - begun
        services = {part: silent.get(part, SILENT_SECONDS) < SILENT_SECONDS for part in TELLING}
        findings = scrape.findings
        yield UP.told(
            ((part,), is_up) for part, is_up in {**services, "postgres": True, **others(findings)}.items()
        )
        yield ANSWER.told(((part,), seconds) for part, seconds in {"postgres": took, **findings.seconds}.items())
        yield from families_of([INTERRUPTIONS], scrape.told)
        proxy = findings.proxy
        if proxy is not None:
            yield CONNECTIONS.told(
                [(("reading",), proxy.reading), (("writing",), proxy.writing), (("waiting",), proxy.waiting)]
            )
            yield ACCEPTED.value(proxy.accepted)
            yield DROPPED.value(proxy.accepted - proxy.handled)
            yield REQUESTS.value(proxy.requests)


def others(findings: Findings) -> dict[str, bool]:
    """The parts that are asked."""
    return {
        "rabbitmq": findings.queues is not None,
        "registry": findings.registry,
        "proxy": findings.proxy is not None,
    }


def without_database(findings: Findings) -> list[Metric]:
    """What is known while the database is away; /api/v2.0/health tells everybody as much."""
    known = {"core": True, "postgres": False, **others(findings)}
    return [UP.told(((part,), is_up) for part, is_up in known.items())]
