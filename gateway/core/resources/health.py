"""Tag health: /health."""

from gateway.core.health import HealthCheck
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.writing import given


class Health:
    """/health; the status is in the body, the answer is always 200."""

    def __init__(self, check: HealthCheck) -> None:
        self._check = check

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Tell how the parts are."""
        components = self._check.components()
        healthy = not any(component.problem for component in components)
        resp.media = {
            "status": "healthy" if healthy else "unhealthy",
            "components": [given(name=each.name, status=each.status, error=each.problem) for each in components],
        }
