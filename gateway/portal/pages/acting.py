"""Pages of a project for those who may do one thing in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from gateway.core.access import require
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.pages.project import OpenProject, ProjectPage
from gateway.portal.pages.sheets import Visit, Visited
from shared.auth.roles import Permission


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectVisit(Visit):
    """One request to a page of a project."""

    project: OpenProject

    @property
    def place(self) -> str:
        """The project's path in the API."""
        return f"/projects/{segment(self.project.name)}"

    @property
    def home(self) -> str:
        """The project's address."""
        return self.project.path

    @property
    def shown(self) -> Mapping[str, Any]:
        """The project."""
        return {"project": self.project}


class ActingPage(ProjectPage, Visited[ProjectVisit]):
    """A page for those who may do one thing in the project."""

    needed: ClassVar[Permission]

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> ProjectVisit:  # noqa: ANN401
        """Begin to answer. Raises Refused, Unauthorized, Forbidden."""
        opened = self.open(req, parts["project"])
        require(req, self.needed, granted=opened.may)
        return ProjectVisit(req=req, resp=resp, api=self.portal.api(req), parts=parts, project=opened)
