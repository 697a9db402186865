"""Tag SystemCVEAllowlist: /system/CVEAllowlist."""

from gateway.core.access import require_administrator, require_login
from gateway.core.bodies.allowlist import AllowlistBody
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.allowlist import allowlist_view
from services.api.commands.allowlist import replace_allowlist
from services.api.queries.allowlist import get_allowlist


class SystemAllowlist:
    """/system/CVEAllowlist."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show the list to whoever has signed in."""
        require_login(req)
        resp.media = allowlist_view(get_allowlist(req.database))

    def on_put(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Put another list in its place."""
        require_administrator(req)
        wanted = read_body(req, AllowlistBody).tolerated()
        replace_allowlist(req.database, wanted, now=req.now, context=req.event_context)
