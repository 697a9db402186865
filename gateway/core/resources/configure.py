"""Tag configure: /configurations, and /internalconfig, which tells no more."""

from typing import Final

from gateway.core.access import require_administrator
from gateway.core.reading import read_json
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.writing import Json
from services.api.commands.configuration import update_configuration
from services.api.domain.configuration import PER_MINUTE
from services.api.queries import configuration as queries
from shared.errors import BadRequest
from shared.secrets import Sealer
from shared.settings import Settings

NO_SCANS: Final = {"type": "none"}
"""When everything is scanned, in a form of its own: never, as there are no scanners."""


class Configurations:
    """/configurations."""

    def __init__(self, settings: Settings, sealer: Sealer) -> None:
        self._fixed = _fixed(settings)
        self._sealer = sealer

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show every item that is no secret."""
        resp.media = _shown(req, self._fixed) | {"scan_all_policy": NO_SCANS}

    def on_put(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Set some items, all or none."""
        require_administrator(req)
        body = read_json(req)
        if not isinstance(body, dict):
            raise BadRequest("the body must be a JSON object")
        update_configuration(
            req.database,
            {key: value for key, value in body.items() if value is not None},
            fixed=self._fixed,
            sealer=self._sealer,
            now=req.now,
            context=req.event_context,
        )


class InternalConfiguration:
    """/internalconfig."""

    def __init__(self, settings: Settings) -> None:
        self._fixed = _fixed(settings)

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show the same: Harbor's own parts read secrets here, ours read them nowhere over HTTP."""
        resp.media = _shown(req, self._fixed)


def _fixed(settings: Settings) -> queries.Values:
    """The items that this instance was started with."""
    return {"token_expiration": settings.token_lifetime_seconds // PER_MINUTE}


def _shown(req: ApiRequest, fixed: queries.Values) -> Json:
    require_administrator(req)
    shown = queries.settings(req.database, fixed)
    return {key: {"value": each.value, "editable": each.editable} for key, each in shown.items()}
