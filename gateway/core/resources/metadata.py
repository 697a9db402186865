"""Tag projectMetadata: /projects/{project}/metadatas."""

from gateway.core.access import require_project
from gateway.core.bodies.metadata import read_entries
from gateway.core.request import ApiRequest, ApiResponse
from services.api.commands import metadata as commands
from services.api.errors import NoSuchMetadata
from services.api.queries.project import get_project
from shared.errors import BadRequest


class Metadata:
    """/projects/{project}/metadatas."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Show all entries, to whoever may read each."""
        place = require_project(req, project, ("metadata", "read"))
        resp.media = get_project(req.database, place.project_id).entries

    def on_post(self, req: ApiRequest, _resp: ApiResponse, project: str) -> None:
        """Add one entry."""
        place = require_project(req, project, ("metadata", "create"))
        entries = read_entries(req)
        commands.add_entry(req.database, place.project_id, entries, now=req.now, context=req.event_context)


class OneEntry:
    """/projects/{project}/metadatas/{meta_name}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, meta_name: str) -> None:
        """Show an entry."""
        place = require_project(req, project, ("metadata", "read"))
        value = get_project(req.database, place.project_id).entries.get(meta_name)
        if value is None:
            raise NoSuchMetadata
        resp.media = {meta_name: value}

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str, meta_name: str) -> None:
        """Give an entry a value; what else the body names is passed over, as Harbor passes it over."""
        place = require_project(req, project, ("metadata", "update"))
        value = read_entries(req).get(meta_name)
        if value is None:
            raise BadRequest("the body must give the entry that the path names a value")
        commands.set_entry(
            req.database, place.project_id, meta_name, value, now=req.now, context=req.event_context
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, meta_name: str) -> None:
        """Take an entry away."""
        place = require_project(req, project, ("metadata", "delete"))
        commands.delete_entry(req.database, place.project_id, meta_name, now=req.now, context=req.event_context)
