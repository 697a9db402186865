"""Tag usergroup: /usergroups."""

from gateway.core.access import require_login, require_system
from gateway.core.bodies.group import UserGroupBody
from gateway.core.onboarding import Onboarding
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.group import found_group_view, group_view
from gateway.core.writing import write_page
from services.api.commands import group as commands
from services.api.domain.group import parse_group_type
from services.api.queries import group as queries
from shared.auth.ldap.names import canonical_dn
from shared.errors import Unprocessable


class UserGroups:
    """/usergroups."""

    def __init__(self, onboarding: Onboarding) -> None:
        self._onboarding = onboarding

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the groups."""
        require_system(req, ("user-group", "list"))
        listing, dn = req.listing(), req.text("ldap_group_dn")
        wanted = canonical_dn(dn) if dn else ""
        page = queries.list_groups(req.database, listing, name=req.text("group_name"), dn=wanted)
        write_page(req, resp, listing, page, group_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make a group of the directory known; its name is the directory's."""
        require_system(req, ("user-group", "create"))
        body = read_body(req, UserGroupBody)
        parse_group_type(body.group_type)
        group = self._onboarding.new_group(req, body.ldap_group_dn)
        resp.created(f"{API}/usergroups/{group.id}")


class UserGroupSearch:
    """/usergroups/search."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Find groups by a part of their name."""
        require_login(req)
        text = req.text("groupname")
        if not text:
            raise Unprocessable("groupname is required")
        listing = req.listing()
        write_page(req, resp, listing, queries.list_groups(req.database, listing, name=text), found_group_view)


class OneUserGroup:
    """/usergroups/{group_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, group_id: str) -> None:
        """Show a group."""
        require_system(req, ("user-group", "read"))
        resp.media = group_view(queries.get_group(req.database, identifier(group_id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, group_id: str) -> None:
        """Give a group another name."""
        require_system(req, ("user-group", "update"))
        name = read_body(req, UserGroupBody).group_name
        commands.rename_group(
            req.database, identifier(group_id), name, now=req.now, context=req.event_context
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, group_id: str) -> None:
        """Forget a group, and the roles that it gave."""
        require_system(req, ("user-group", "delete"))
        commands.delete_group(req.database, identifier(group_id), context=req.event_context)
