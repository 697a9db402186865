"""/metrics, for Prometheus: every component, or the one that `comp` names, as Harbor's exporter has it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder

from gateway.core.access import require_login, system_permissions
from gateway.core.metrics.collector import READ, Collector, Scrape
from gateway.core.metrics.components import read, read_without_database
from gateway.core.metrics.probes import Prober
from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import Forbidden, Unprocessable


@dataclass(frozen=True, slots=True)
class _Collected:
    """As the encoders want them."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


class Metrics:
    """/metrics."""

    def __init__(self, components: Mapping[str, Collector], prober: Prober) -> None:
        self._components = dict(components)
        self._prober = prober

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell what is measured: of what is asked for, all that the caller may see."""
        scrape = Scrape(req.database, self._prober, req.now)
        if req.is_unjudged:
            families = read_without_database(self._asked_for(req.text("comp")), scrape)
        else:
            require_login(req)
            families = read(_visible(req, self._asked_for(req.text("comp"))), scrape)
        encode, resp.content_type = choose_encoder(req.get_header("Accept") or "")
        resp.data = encode(_Collected(families))

    def _asked_for(self, component: str) -> dict[str, Collector]:
        """Raises Unprocessable."""
        if not component:
            return self._components
        if component not in self._components:
            raise Unprocessable(f"comp must be one of {', '.join(sorted(self._components))}")
        return {component: self._components[component]}


def _visible(req: ApiRequest, components: Mapping[str, Collector]) -> dict[str, Collector]:
    """Raises Forbidden where that is none of them."""
    granted = system_permissions(req.caller)
    visible = {
        name: component
        for name, component in components.items()
        if req.caller.is_admin or READ in granted or granted.issuperset(component.needs)
    }
    if not visible:
        raise Forbidden
    return visible
