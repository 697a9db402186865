"""/metrics, for Prometheus: every component, or the one that `comp` names, as Harbor's exporter has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from gateway.core.access import require_login, require_system
from gateway.core.metrics.collector import Collector
from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import Unprocessable


@dataclass(frozen=True, slots=True)
class _Collected:
    """As the encoders want them."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


class Metrics:
    """/metrics."""

    def __init__(self, collectors: Mapping[str, Collector]) -> None:
        self._collectors = dict(collectors)

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell what is measured."""
        require_login(req)
        chosen = self._chosen(req.text("comp"))
        require_system(req, *(permission for each in chosen for permission in each.needs))
        families = [family for each in chosen for family in each.families(req.database, now=req.now)]
        encode, resp.content_type = choose_encoder(req.get_header("Accept") or "")
        resp.data = encode(_Collected(families))

    def _chosen(self, component: str) -> list[Collector]:
        """Raises Unprocessable."""
        if not component:
            return list(self._collectors.values())
        if component not in self._collectors:
            raise Unprocessable(f"comp must be one of {', '.join(sorted(self._collectors))}")
        return [self._collectors[component]]
