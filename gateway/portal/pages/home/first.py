"""/: for strangers what this is; for others how things are; on a fresh system what to do first."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.lists import fuzzy
from gateway.portal.pages.home.charts import pulls_and_pushes, storage
from gateway.portal.portal import Page, page

_FEW: Final = 6
_RECENT: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstSteps:
    """How far an administrator has come on a system that holds no image yet."""

    has_own_password: bool
    project: str
    """The project to push to."""
    has_project: bool


class Home(Page):
    """/."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What this is, or how it is."""
        api = self.portal.api(req)
        if not req.caller.is_authenticated:
            found = api.listed("/projects", public=True, page_size=_FEW, sort="name")
            self.portal.show(req, resp, "welcome.html", projects=found.items, total=found.total)
            return
        counts = api.get("/statistics")
        repositories = counts["public_repo_count"] + counts["private_repo_count"]
        steps = _steps(api, req.caller.name, counts) if req.caller.is_admin and not repositories else None
        days = api.get("/statistics/daily")
        self.portal.show(
            req, resp, "home.html", block="list", steps=steps, counts=counts, repositories=repositories,
            projects=counts["public_project_count"] + counts["private_project_count"], days=days,
            activity=pulls_and_pushes(days), stored=storage(days),
            recent=api.get("/auditlog-exts", page_size=_RECENT),
        )  # fmt: skip


def _steps(api: Api, name: str, counts: dict[str, Any]) -> FirstSteps:
    terms = ",".join(filter(None, ("operation=update", "resource_type=user", fuzzy("resource", name))))
    changes = api.get("/auditlog-exts", q=terms, page_size=_RECENT)
    [newest] = api.get("/projects", sort="-creation_time", page_size=1) or [{"name": "library"}]
    return FirstSteps(
        has_own_password=any(
            change["resource"] == name and "password" in change["operation_description"] for change in changes
        ),
        project=newest["name"],
        has_project=counts["total_project_count"] > 1,
    )
