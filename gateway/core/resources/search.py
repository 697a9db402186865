"""Tags search and statistic."""

from datetime import timedelta

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.project import project_view
from gateway.core.views.repository import found_repository_view
from gateway.core.views.statistic import day_view, full_view
from services.api.queries.search import search
from services.api.queries.statistic import member_projects, nearly_full, statistic, storage_by_day
from services.audit.queries.days import count_days
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


class DailyStatistics:
    """/statistics/daily, which is ours."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Count pushes, pulls and bytes day by day: of everything for administrators, else of the caller's projects."""
        caller = require_login(req)
        today = req.now.date()
        since = today - timedelta(days=req.number("days", default=14, low=1, high=90) - 1)
        projects = member_projects(req.database, caller)
        counted = count_days(
            req.database, since=since,
            projects=None if projects is None else {each.name: each.created_at for each in projects.values()},
        )  # fmt: skip
        meant = None if projects is None else list(projects)
        stored = storage_by_day(req.database, since=since, today=today, projects_meant=meant)
        resp.media = [
            day_view(day, counted.get(day), stored.get(day))
            for day in (since + timedelta(days=number) for number in range((today - since).days + 1))
        ]


class QuotaStatistics:
    """/statistics/quotas, which is ours."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Name the projects near their quotas, the fullest first: administrators see all, others their own."""
        meant = member_projects(req.database, require_login(req))
        resp.media = [full_view(each) for each in nearly_full(req.database, None if meant is None else list(meant))]
