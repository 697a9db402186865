"""Tag repository: /repositories and /projects/{project}/repositories."""

from gateway.core.access import require_project
from gateway.core.bodies.repository import RepositoryBody
from gateway.core.catalogue import Catalogue, repository_name
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.repository import deletable_view, repository_view
from gateway.core.writing import write_page
from services.api.commands.deletion import delete_repository
from services.api.commands.repository import update_repository
from services.api.queries import repository as queries


class AllRepositories:
    """/repositories."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the repositories of all projects where the caller may."""
        listing = req.listing()
        page = queries.list_repositories(req.database, req.caller, listing)
        write_page(req, resp, listing, page, repository_view)


class Repositories:
    """/projects/{project}/repositories."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the repositories of a project."""
        place = require_project(req, project, ("repository", "list"), by_name=True)
        listing = req.listing()
        page = queries.list_project_repositories(req.database, listing, project_id=place.project_id)
        write_page(req, resp, listing, page, repository_view)


class RepositoryDeletable:
    """/projects/{project}/repositories/{repository}/_deletable."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """Tell what goes when the repository is deleted, and whether immutable tags forbid it."""
        require_project(req, project, ("repository", "delete"), by_name=True)
        resp.media = deletable_view(queries.deletable(req.database, repository_name(project, repository)))


class OneRepository:
    """/projects/{project}/repositories/{repository}."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """Show a repository."""
        require_project(req, project, ("repository", "read"), by_name=True)
        resp.media = repository_view(queries.get_repository(req.database, repository_name(project, repository)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str) -> None:
        """Change a repository's description."""
        require_project(req, project, ("repository", "update"), by_name=True)
        name = repository_name(project, repository)
        description = read_body(req, RepositoryBody).description
        update_repository(req.database, name, description=description, context=req.event_context)

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str) -> None:
        """Delete a repository with all its artifacts."""
        require_project(req, project, ("repository", "delete"), by_name=True)
        name = repository_name(project, repository)
        req.release_database()
        delete_repository(
            self._catalogue.sessions, self._catalogue.registry, repository=name, context=req.event_context
        )
