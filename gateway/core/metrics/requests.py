"""Component requests: what the mounts and the registry answer, how fast, and how requests for tokens end."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family
from gateway.core.metrics.figures import families_of, family_of
from shared.auth.roles import Permission
from shared.metrics.figures import HTTP_REQUESTS, HTTP_SECONDS, REGISTRY_REQUESTS, REGISTRY_SECONDS, TOKENS

_FIGURES: Final = (HTTP_REQUESTS, HTTP_SECONDS, REGISTRY_REQUESTS, REGISTRY_SECONDS, TOKENS)


class RequestMetrics:
    """Component requests."""

    asks_parts = False
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = tuple(family_of(each) for each in _FIGURES)

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """As the mounts have told."""
        return families_of(_FIGURES, scrape.told)
