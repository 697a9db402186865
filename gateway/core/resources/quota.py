"""Tag quota: /quotas."""

from gateway.core.access import require_system
from gateway.core.bodies.quota import QuotaBody
from gateway.core.reading import read_body
from gateway.core.request import MAX_ID, ApiRequest, ApiResponse, identifier
from gateway.core.views.quota import quota_view
from gateway.core.writing import write_page
from services.api.commands import quota as commands
from services.api.domain.quota import parse_limits
from services.api.queries import quota as queries
from shared.errors import Unprocessable


class Quotas:
    """/quotas."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the quotas of all projects, or of the one that is referred to."""
        require_system(req, ("quota", "list"))
        listing = req.listing()
        page = queries.list_quotas(req.database, listing, project_id=_reference(req))
        write_page(req, resp, listing, page, quota_view)


class OneQuota:
    """/quotas/{quota_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, quota_id: str) -> None:
        """Show a quota."""
        require_system(req, ("quota", "read"))
        resp.media = quota_view(queries.get_quota(req.database, identifier(quota_id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, quota_id: str) -> None:
        """Set a project's limit."""
        require_system(req, ("quota", "update"))
        limit = parse_limits(read_body(req, QuotaBody).hard)
        quota = queries.get_quota(req.database, identifier(quota_id))
        commands.update_quota(req.database, quota.id, limit, now=req.now, context=req.event_context)


def _reference(req: ApiRequest) -> int | None:
    """The project that is referred to, 0 where that can be none, None where all are meant. Raises Unprocessable."""
    if req.text("reference") not in {"", "project"}:
        raise Unprocessable("reference can only be project")
    asked = req.text("reference_id")
    return req.number("reference_id", default=0, low=0, high=MAX_ID) if asked else None
