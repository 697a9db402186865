"""Tag schedule: /schedules."""

from gateway.core.access import require_login, require_system
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.schedule import schedule_view
from gateway.core.writing import write_page
from services.api.queries.schedule import list_schedules
from shared.errors import BadRequest


class Schedules:
    """/schedules."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List what recurs, of all kinds."""
        require_system(req, ("jobservice-monitor", "list"))
        listing = req.listing()
        write_page(req, resp, listing, list_schedules(req.database, listing), schedule_view)


class Paused:
    """/schedules/{job_type}/paused."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, job_type: str) -> None:
        """Say whether schedules are paused. Nothing pauses them, so they never are."""
        require_login(req)
        if job_type.lower() != "all":
            raise BadRequest("the job type can only be 'all'")
        resp.media = {"paused": False}
