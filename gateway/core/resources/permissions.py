"""Tag permissions: what a robot account can be given."""

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.user import permission_view
from services.api.domain.robot import PROJECT_ACCESS, SYSTEM_ACCESS
from services.api.queries.project import is_allowed_somewhere
from shared.errors import Forbidden


class Permissions:
    """/permissions."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the permissions for those who can make robot accounts: of projects, and of the system for its admins."""
        require_login(req)
        if not req.caller.is_admin and not is_allowed_somewhere(req.database, req.caller, ("robot", "create")):
            raise Forbidden
        system = SYSTEM_ACCESS if req.caller.is_admin else frozenset()
        resp.media = {
            "system": [permission_view(each) for each in sorted(system)],
            "project": [permission_view(each) for each in sorted(PROJECT_ACCESS)],
        }
