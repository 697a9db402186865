"""Read-only mode: an administrator has stopped all changes, except of the setting itself."""

from typing import Final

from gateway.core.middleware.authentication import SAFE
from gateway.core.request import API, ApiRequest, ApiResponse
from services.api.queries.configuration import is_read_only
from shared.errors import Forbidden

_ALLOWED: Final = frozenset({("PUT", f"{API}/configurations")})


class ReadOnly:
    """Asks the configuration before every change through the API."""

    def process_request(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Raises ReadOnlyMode."""
        if not req.is_api or req.method in SAFE or (req.method, req.path) in _ALLOWED:
            return
        if is_read_only(req.database):
            raise ReadOnlyMode


class ReadOnlyMode(Forbidden):
    """Changes are stopped."""

    code = "DENIED"
    default = "the system is in read-only mode: nothing can be changed now"
