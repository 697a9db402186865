"""Tag auditlog: the record, in the forms of both generations, of the system and of a project."""

from collections.abc import Callable

import falcon

from gateway.core.access import require_login, require_project, require_system, system_permissions
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.views.audit import check_view
from gateway.core.writing import CURSOR, Json, write_page
from services.api.queries.project import created_allowing, get_project
from services.audit.domain.record import event_types
from services.audit.queries import AuditFilter, AuditRecord, Cursor, ProjectScope, list_records
from services.audit.queries.checks import ask_for_check, list_checks
from shared.listing import Listing, Page

_CHECK = ("audit-log", "list")

View = Callable[[AuditRecord], Json]


class AuditLogs:
    """/audit-logs and /auditlog-exts."""

    def __init__(self, view: View) -> None:
        self._view = view

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List what happened where the caller may see the log; administrators see all."""
        require_login(req)
        listing = req.listing()
        _write(req, resp, listing, _scopes(req, listing), self._view)


class ProjectLogs:
    """/projects/{project}/logs and /projects/{project}/auditlog-exts."""

    def __init__(self, view: View) -> None:
        self._view = view

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List what happened in a project."""
        place = require_project(req, project, ("log", "list"), by_name=True)
        since = get_project(req.database, place.project_id).created_at
        _write(req, resp, req.listing(), (ProjectScope(name=place.name, since=since),), self._view)


class AuditEventTypes:
    """/auditlog-exts/events."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the kinds of records there can be."""
        require_login(req)
        resp.media = [{"event_type": name} for name in event_types()]


class Checks:
    """/system/audit-checks, which is ours: whether the record is whole."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Tell what verifying the newest links, and all of them, found last."""
        require_system(req, _CHECK)
        resp.media = [check_view(each) for each in list_checks(req.database)]

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Have the newest links verified; it is done within seconds."""
        require_system(req, _CHECK)
        ask_for_check(req.database, req.now)
        resp.status = falcon.HTTP_202


def _scopes(req: ApiRequest, listing: Listing) -> tuple[ProjectScope, ...] | None:
    """The projects whose log the caller may see and, with project_id in the q, asks for; None is everything."""
    everywhere = req.caller.is_admin or ("audit-log", "list") in system_permissions(req.caller)
    projects = created_allowing(req.database, req.caller, ("log", "list"), listing.terms, everywhere=everywhere)
    if projects is None:
        return None
    return tuple(ProjectScope(name=name, since=since) for name, since in projects.items())


def _write(
    req: ApiRequest, resp: ApiResponse, listing: Listing, scopes: tuple[ProjectScope, ...] | None, view: View
) -> None:
    cursor = req.text(CURSOR)
    found = list_records(
        req.database,
        filter=AuditFilter(projects=scopes, terms=listing.terms),
        limit=listing.limit,
        offset=listing.offset,
        sort=listing.order,
        before=Cursor.parse(cursor) if cursor else None,
    )
    following = str(found.next) if found.next else None
    write_page(req, resp, listing, Page(records=found.records, total=found.total), view, cursor=following)
