"""Tag project: /projects."""

from dataclasses import replace

from gateway.core.access import Place, require_login, require_project, require_system
from gateway.core.bodies.project import ProjectBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse
from gateway.core.views.project import project_view, summary_view
from gateway.core.writing import write_page
from services.api.commands import project as commands
from services.api.commands.metadata import update_project
from services.api.domain.project import Project
from services.api.errors import NoSuchProject, ProjectNotEmpty
from services.api.queries import configuration
from services.api.queries import project as queries
from services.api.queries.allowlist import allowlist_for
from services.api.queries.quota import get_quota
from shared.auth.principals import PrincipalKind
from shared.auth.roles import Role, permissions
from shared.errors import Unprocessable
from shared.listing import Listing, Match, Term
from shared.settings import CLOCK_LEEWAY, Settings


class Projects:
    """/projects."""

    def __init__(self, settings: Settings) -> None:
        self._token_lifetime = settings.token_lifetime

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the projects that the caller may see."""
        listing = _with_parameters(req, req.listing())
        page = queries.list_projects(req.database, req.caller, listing)
        detail = req.flag("with_detail", default=True)
        ids = [project.id for project in page.records] if detail else []
        roles = queries.roles_of(req.database, req.caller, ids)
        write_page(req, resp, listing, page, lambda project: project_view(project, roles.get(project.id, [])))

    def on_head(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Tell whether a name is taken; to create projects one has to know that."""
        require_login(req)
        name = req.text("project_name")
        if not name:
            raise Unprocessable("project_name is required")
        if not queries.exists(req.database, name):
            raise NoSuchProject

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Create a project."""
        require_login(req)
        if configuration.value(req.database, "project_creation_restriction") == "adminonly" or not _is_user(req):
            require_system(req, ("project", "create"))
        default = int(configuration.value(req.database, "storage_per_project"))
        project = commands.create_project(
            req.database,
            read_body(req, ProjectBody).new_project(default, may_set_limit=req.caller.is_admin),
            creator=req.caller,
            now=req.now,
            token_lifetime=self._token_lifetime,
            leeway=CLOCK_LEEWAY,
            context=req.event_context,
        )
        by_name = req.header_flag("X-Resource-Name-In-Location")
        resp.created(f"{API}/projects/{project.name if by_name else project.id}")


class OneProject:
    """/projects/{project}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Show a project, to whoever has signed in with the vulnerabilities that are tolerated in it."""
        place = require_project(req, project, ("project", "read"))
        found = _project(req, place)
        allowlist = allowlist_for(req.database, found) if req.caller.is_authenticated else None
        resp.media = project_view(found, sorted_roles(place), allowlist)

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str) -> None:
        """Change a project's metadata, and the vulnerabilities that are tolerated in it."""
        place = require_project(req, project, ("project", "update"))
        body = read_body(req, ProjectBody)
        update_project(
            req.database,
            place.project_id,
            body.given_metadata(),
            allowlist=body.given_allowlist(),
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str) -> None:
        """Delete an empty project."""
        place = require_project(req, project, ("project", "delete"))
        commands.delete_project(req.database, place.project_id, now=req.now, context=req.event_context)


class ProjectDeletable:
    """/projects/{project}/_deletable."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Tell whether a project could be deleted now."""
        place = require_project(req, project, ("project", "delete"))
        empty = _project(req, place).repository_count == 0
        resp.media = {"deletable": True} if empty else {"deletable": False, "message": ProjectNotEmpty.default}


class ProjectSummary:
    """/projects/{project}/summary."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Show a project in numbers."""
        place = require_project(req, project, ("project", "read"))
        may_see_members = ("member", "list") in place.granted
        summary = queries.summarise(req.database, place.project_id) if may_see_members else None
        quota = get_quota(req.database, place.project_id) if ("quota", "read") in place.granted else None
        resp.media = summary_view(_project(req, place), summary, quota)


def sorted_roles(place: Place) -> list[Role]:
    """The caller's roles, strongest first."""
    return sorted(place.roles, key=lambda role: len(permissions(role)), reverse=True)


def _project(req: ApiRequest, place: Place) -> Project:
    return queries.get_project(req.database, place.project_id)


def _is_user(req: ApiRequest) -> bool:
    return req.caller.kind is PrincipalKind.USER


def _with_parameters(req: ApiRequest, listing: Listing) -> Listing:
    """The older parameters name, public and owner are terms like those of q."""
    texts = {"name": req.text("name"), "owner": req.text("owner")}
    if req.text("public"):
        texts["public"] = str(req.flag("public", default=False)).lower()
    ways = {"name": Match.FUZZY, "public": Match.EXACT, "owner": Match.EXACT}
    terms = [Term(key=key, match=ways[key], values=(text,)) for key, text in texts.items() if text]
    return replace(listing, terms=(*listing.terms, *terms))
