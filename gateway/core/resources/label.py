"""Tag label: /labels."""

from dataclasses import replace

from gateway.core.access import require_login, require_project, require_system
from gateway.core.bodies.label import LabelBody, NewLabelBody, parse_scope
from gateway.core.reading import read_body
from gateway.core.request import API, MAX_ID, ApiRequest, ApiResponse, identifier
from gateway.core.views.label import label_view
from gateway.core.writing import write_page
from services.api.commands import label as commands
from services.api.domain.label import Label
from services.api.errors import NoSuchLabel
from services.api.queries import label as queries
from services.api.queries.project import name_of
from shared.listing import Match, Term


class Labels:
    """/labels."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the global labels for whoever has signed in, or those of a project."""
        listing, name = req.listing(), req.text("name")
        project_id = parse_scope(req.text("scope"), req.number("project_id", default=0, low=0, high=MAX_ID))
        if project_id is None:
            require_login(req)
        else:
            _require_project(req, project_id, "list")
        if name:
            terms = (*listing.terms, Term(key="name", match=Match.FUZZY, values=(name,)))
            listing = replace(listing, terms=terms)
        page = queries.list_labels(req.database, listing, project_id=project_id)
        write_page(req, resp, listing, page, label_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Create a label, global or of a project."""
        require_login(req)
        body = read_body(req, NewLabelBody)
        project_id = body.kept_by()
        if project_id is None:
            require_system(req, ("label", "create"))
        else:
            _require_project(req, project_id, "create")
        label = commands.create_label(
            req.database, body.text(), project_id=project_id, now=req.now, context=req.event_context
        )
        resp.created(f"{API}/labels/{label.id}")


class OneLabel:
    """/labels/{label_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, label_id: str) -> None:
        """Show a label."""
        resp.media = label_view(_label(req, label_id, "read"))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, label_id: str) -> None:
        """Give a label another name, description and color; its scope stays."""
        label = _label(req, label_id, "update")
        text = read_body(req, LabelBody).text()
        commands.update_label(req.database, label, text, now=req.now, context=req.event_context)

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, label_id: str) -> None:
        """Delete a label, and take it off all artifacts."""
        commands.delete_label(req.database, _label(req, label_id, "delete"), context=req.event_context)


def _label(req: ApiRequest, label_id: str, action: str) -> Label:
    """A label that the caller may do this to; whoever may not, is not told whether it exists."""
    label = queries.find_label(req.database, identifier(label_id))
    if label is None or label.project is None:
        require_system(req, ("label", action))
    else:
        require_project(req, label.project, ("label", action), by_name=True)
    if label is None:
        raise NoSuchLabel
    return label


def _require_project(req: ApiRequest, project_id: int, action: str) -> None:
    """By number, whatever the header X-Is-Resource-Name says of names in paths."""
    name = name_of(req.database, project_id) if project_id <= MAX_ID else None
    require_project(req, name or "", ("label", action), by_name=True)
