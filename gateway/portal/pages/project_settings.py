"""The settings of a project: who sees it, how much it may hold, and its end."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import BadForm
from gateway.portal.forms import Form
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import FormPage, filled
from gateway.portal.portal import page
from shared.errors import Forbidden, NotFound

GIBIBYTE: Final = 1024**3
UNLIMITED: Final = -1
_MOST_GIBIBYTES: Final = 2**62 // GIBIBYTE


class Settings(ActingPage):
    """/projects/{project}/settings."""

    needed = ("project", "update")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """What there is to set."""
        visit = self.visit(req, resp, project=project)
        self.portal.show(
            req, resp, "project_settings.html", project=visit.project,
            summary=visit.api.get(f"{visit.place}/summary"), shown=visit.project.shown,
        )  # fmt: skip


class Visibility(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/settings/visibility."""

    needed = ("project", "update")
    template = "project_visibility.html"

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """Where it leads back to."""
        del form
        return {"back": f"{visit.project.path}/settings"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Open it to everybody, or close it."""
        if form.text("public") not in {"true", "false"}:
            raise BadForm("say whether it shall be public or private")
        visit.api.send("PUT", visit.place, {"metadata": {"public": form.text("public")}})
        said = "public: anybody can pull from it" if form.text("public") == "true" else "private: only members see it"
        self.go(visit, "/settings", f"Project {visit.project.name} is {said}.")


class Quota(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/settings/quota: for system administrators."""

    needed = ("project", "update")
    template = "project_quota.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        limit = _quota(visit)["hard"]["storage"]
        unlimited = limit == UNLIMITED
        return filled({"unlimited": unlimited, "limit": "" if unlimited else f"{limit / GIBIBYTE:g}"})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What is used of it."""
        del form
        return {"quota": _quota(visit), "back": f"{visit.project.path}/settings"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Set it."""
        limit = UNLIMITED if form.flag("unlimited") else _bytes(form.text("limit"))
        visit.api.send("PUT", f"/quotas/{_quota(visit)['id']}", {"hard": {"storage": limit}})
        self.go(visit, "/settings", "The storage limit is set.")


class DeleteProject(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/settings/delete."""

    needed = ("project", "delete")
    template = "project_delete.html"

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What is in the way, or what goes with it."""
        del form
        return {
            "deletable": visit.api.get(f"{visit.place}/_deletable"),
            "summary": visit.api.get(f"{visit.place}/summary"),
            "back": f"{visit.project.path}/settings",
        }

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Delete it, once its name is typed."""
        name = visit.project.name
        if form.text("name") != name:
            raise BadForm(f"type the name of the project, {name}, to delete it")
        visit.api.send("DELETE", visit.place)
        self.portal.go(visit.req, visit.resp, "/projects", f"Project {name} is deleted.")


def _quota(visit: ProjectVisit) -> dict[str, Any]:
    """The project's quota, which only system administrators may change. Raises Forbidden, NotFound."""
    if not visit.req.caller.is_admin:
        raise Forbidden
    found = visit.api.listed("/quotas", reference="project", reference_id=visit.project.number).items
    if not found:
        raise NotFound
    return found[0]


def _bytes(text: str) -> int:
    """A number of gibibytes, as people write it. Raises BadForm."""
    try:
        number = float(text.replace(",", "."))
    except ValueError as error:
        raise BadForm("give the limit as a number of GiB, or tick that there is none") from error
    if not 0 < number <= _MOST_GIBIBYTES:
        raise BadForm("the limit must be more than nothing; to stop pushes, change the roles of members")
    return round(number * GIBIBYTE)
