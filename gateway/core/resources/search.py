"""Tags search and statistic."""

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.project import project_view
from gateway.core.views.repository import found_repository_view
from services.api.queries.search import search
from services.api.queries.statistic import statistic
from shared.errors import Unprocessable


class Search:
    """/search."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Find projects and repositories by a part of their names; what is public, strangers find too."""
        if not req.has_param("q"):
            raise Unprocessable("q is required")
        projects, repositories = search(req.database, req.caller, req.text("q"))
        resp.media = {
            "project": [project_view(project) for project in projects],
            "repository": [found_repository_view(found) for found in repositories],
        }


class Statistics:
    """/statistics."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Count what the caller may see; totals are the administrator's."""
        numbers = statistic(req.database, require_login(req))
        public, private = numbers.public_projects, numbers.private_projects
        repositories = numbers.public_repositories + numbers.private_repositories
        total = req.caller.is_admin
        resp.media = {
            "public_project_count": public,
            "private_project_count": private,
            "public_repo_count": numbers.public_repositories,
            "private_repo_count": numbers.private_repositories,
            "total_project_count": public + private if total else 0,
            "total_repo_count": repositories if total else 0,
            "total_storage_consumption": numbers.storage,
        }
