"""The frame that all pages of one project share, and the list of its repositories."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.portal import Page, page
from shared.auth.roles import Permission

_TABS: Final[tuple[tuple[str, str, Permission], ...]] = (
    ("", "Repositories", ("repository", "list")),
    ("/members", "Members", ("member", "list")),
    ("/robots", "Robot accounts", ("robot", "list")),
    ("/labels", "Labels", ("label", "list")),
    ("/retention", "Tag retention", ("tag-retention", "read")),
    ("/immutable-tags", "Immutable tags", ("immutable-tag", "list")),
    ("/webhooks", "Webhooks", ("notification-policy", "list")),
    ("/log", "Audit log", ("log", "list")),
    ("/settings", "Settings", ("project", "update")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenProject:
    """A project that whoever looks may see, and what he may do in it."""

    name: str
    shown: dict[str, Any]
    """As the API shows it."""
    may: frozenset[Permission]

    @property
    def path(self) -> str:
        """Its address."""
        return f"/projects/{segment(self.name)}"

    @property
    def number(self) -> int:
        """Its id, where the API wants that."""
        return int(self.shown["project_id"])

    @property
    def is_public(self) -> bool:
        """Whether anybody may pull from it."""
        return bool(self.shown["metadata"].get("public") == "true")

    @property
    def tabs(self) -> list[tuple[str, str]]:
        """Addresses and names of the pages that he may see."""
        return [(self.path + path, label) for path, label, needed in _TABS if needed in self.may]

    def allows(self, resource: str, action: str) -> bool:
        """Whether he may do something here."""
        return (resource, action) in self.may


class ProjectPage(Page):
    """A page of a project."""

    def open(self, req: ApiRequest, name: str) -> OpenProject:
        """The project of an address. Raises Refused, Unauthorized."""
        shown = self.portal.api(req).get(f"/projects/{segment(name)}")
        return OpenProject(name=shown["name"], shown=shown, may=self.portal.may(req, name))


class Repositories(ProjectPage):
    """/projects/{project}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Its repositories; with none, how the first image gets here."""
        opened = self.open(req, project)
        state = list_state(req, sorts=("name", "update_time", "artifact_count", "pull_count"))
        api = self.portal.api(req)
        found = api.listed(
            f"/projects/{segment(project)}/repositories", page=state.page, page_size=state.page_size, sort=state.sort,
            q=fuzzy("name", state.search),
        )  # fmt: skip
        self.portal.show(
            req, resp, "repositories.html", block="list", project=opened, state=state, repositories=found.items,
            total=found.total, summary=api.maybe(f"/projects/{segment(project)}/summary") or {},
        )  # fmt: skip
