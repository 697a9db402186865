"""Component requests: what mounts, registry and proxy answer, how fast, and how requests for tokens end."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family
from gateway.core.metrics.figures import families_of, family_of
from shared.auth.roles import Permission
from shared.metrics.figures import (
    HTTP_REQUESTS,
    HTTP_SECONDS,
    REGISTRY_REQUESTS,
    REGISTRY_SECONDS,
    TOKENS,
    TRANSFER_SECONDS,
    TRANSFERRED,
    TRANSFERS,
)

_OF_PROXY: Final = (TRANSFERS, TRANSFER_SECONDS, TRANSFERRED)
"""Its own, though another part counts them."""
_FIGURES: Final = (HTTP_REQUESTS, HTTP_SECONDS, REGISTRY_REQUESTS, REGISTRY_SECONDS, *_OF_PROXY, TOKENS)
_NAMES_OF_PROXY: Final = {each.name for each in _OF_PROXY}


class RequestMetrics:
    """Component requests."""

    asks_parts = False
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = tuple(family_of(each) for each in _FIGURES)

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """As the mounts have told."""
        told = (replace(each, part="proxy") if each.name in _NAMES_OF_PROXY else each for each in scrape.told)
        return families_of(_FIGURES, told)
