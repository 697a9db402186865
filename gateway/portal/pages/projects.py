"""The list of projects, and how one is made."""

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.sheets import FormPage, SignedIn, Visit
from gateway.portal.portal import Page, page

ROLES = {1: "Project admin", 2: "Developer", 3: "Guest", 4: "Maintainer", 5: "Limited guest"}
GIBIBYTE = 1024**3


class Projects(Page):
    """/projects."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The projects that whoever looks may see."""
        state = list_state(req, sorts=("name", "creation_time", "update_time"), filters=("visibility",))
        public = {"public": True, "private": False}.get(state.filters["visibility"])
        api = self.portal.api(req)
        found = api.listed(
            "/projects", page=state.page, page_size=state.page_size, sort=state.sort, public=public,
            q=fuzzy("name", state.search),
        )  # fmt: skip
        self.portal.show(
            req, resp, "projects.html", block="list", state=state, projects=found.items, total=found.total,
            roles=ROLES, may_create=self._may_create(req),
        )  # fmt: skip

    def _may_create(self, req: ApiRequest) -> bool:
        if req.caller.is_admin or not req.caller.is_authenticated:
            return req.caller.is_admin
        info = self.portal.api(req).get("/systeminfo")
        return bool(info.get("project_creation_restriction") == "everyone")


class NewProject(SignedIn, FormPage[Visit]):
    """/projects-new."""

    template = "project_new.html"

    def act(self, visit: Visit, form: Form) -> None:
        """Make the project."""
        name, limit = form.text("name"), form.number("limit")
        body = {
            "project_name": name,
            "metadata": {"public": "true" if form.flag("public") else "false"},
        } | ({"storage_limit": limit * GIBIBYTE} if limit > 0 else {})
        visit.api.send("POST", "/projects", body)
        self.go(visit, f"/projects/{segment(name)}", f"Project {name} is made.")
