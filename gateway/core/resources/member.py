"""Tag member: /projects/{project}/members."""

from functools import partial

from gateway.core.access import require_project
from gateway.core.bodies.group import UserGroupBody
from gateway.core.bodies.member import MemberBody, RoleBody
from gateway.core.onboarding import Onboarding
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.member import member_view
from gateway.core.writing import write_page
from services.api.commands import member as commands
from services.api.domain.member import parse_role
from services.api.queries import member as queries


class Members:
    """/projects/{project}/members."""

    def __init__(self, onboarding: Onboarding) -> None:
        self._onboarding = onboarding

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the members."""
        place = require_project(req, project, ("member", "list"))
        listing = req.listing()
        page = queries.list_members(req.database, place.project_id, listing, name=req.text("entityname"))
        write_page(req, resp, listing, page, member_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Make a user or a group a member, known here or to the directory."""
        place = require_project(req, project, ("member", "create"))
        body = read_body(req, MemberBody)
        named, role = body.named(), parse_role(body.role_id)
        commands.refuse_escalation(role, place.granted)
        grant = partial(
            commands.create_group_member if isinstance(named, UserGroupBody) else commands.create_member,
            req.database,
            project_id=place.project_id,
            project=place.name,
            role=role,
            granted=place.granted,
            now=req.now,
            context=req.event_context,
        )
        if isinstance(named, UserGroupBody):
            member = grant(group_id=self._onboarding.group_id(req, named))
        else:
            member = grant(user=self._onboarding.user_id(req, named))
        resp.created(f"{API}/projects/{project}/members/{member.id}")


class OneMember:
    """/projects/{project}/members/{member_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, member_id: str) -> None:
        """Show a member."""
        place = require_project(req, project, ("member", "read"))
        resp.media = member_view(queries.get_member(req.database, place.project_id, identifier(member_id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, project: str, member_id: str) -> None:
        """Give a member another role."""
        place = require_project(req, project, ("member", "update"))
        commands.update_member(
            req.database,
            queries.get_member(req.database, place.project_id, identifier(member_id)),
            project=place.name,
            role=parse_role(read_body(req, RoleBody).role_id),
            granted=place.granted,
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, member_id: str) -> None:
        """Remove a member."""
        place = require_project(req, project, ("member", "delete"))
        member = queries.get_member(req.database, place.project_id, identifier(member_id))
        commands.delete_member(req.database, member, project=place.name, context=req.event_context)
