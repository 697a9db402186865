"""The list of projects, and how one is made."""

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import fuzzy, list_state
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


class NewProject(Page):
    """/projects-new: the form, in the dialog or as a page."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The empty form. Raises Unauthorized."""
        require_login(req)
        self._show(req, resp, Form())

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make the project. Raises ForeignForm, BadForm."""
        form = read_form(req)
        name = form.text("name")
        limit = form.number("limit")
        body = {
            "project_name": name,
            "metadata": {"public": "true" if form.flag("public") else "false"},
        } | ({"storage_limit": limit * GIBIBYTE} if limit > 0 else {})
        try:
            self.portal.api(req).send("POST", "/projects", body)
        except Refused as refused:
            self._show(req, resp, form, refused)
        else:
            self.portal.go(req, resp, f"/projects/{segment(name)}", f"Project {name} is made.")

    def _show(self, req: ApiRequest, resp: ApiResponse, form: Form, refused: Refused | None = None) -> None:
        self.portal.show(
            req, resp, "project_new.html", status=refused.status if refused else 200, form=form,
            sentence=refused.sentence if refused else "",
        )  # fmt: skip
