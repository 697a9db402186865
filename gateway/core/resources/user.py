"""Tag user: /users."""

from gateway.core.access import (
    project_permissions,
    require_administrator,
    require_login,
    require_system,
    system_permissions,
)
from gateway.core.bodies.user import AdministratorBody, DisabledBody, NewUserBody, PasswordBody, ProfileBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.sign_in import SignIn
from gateway.core.views.user import found_user_view, held_role_view, permission_view, user_view
from gateway.core.writing import write_page
from services.api.commands import user as commands
from services.api.domain.robot import SYSTEM_ACCESS
from services.api.queries import configuration
from services.api.queries import project as projects
from services.api.queries import user as queries
from shared.auth.authenticate import Credential, Reason, Rejected
from shared.auth.errors import TooManyGuesses
from shared.auth.principals import PrincipalKind
from shared.errors import BadRequest, Forbidden, PreconditionFailed, Unprocessable
from shared.secrets import Secret


class Users:
    """/users."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List all users."""
        require_system(req, ("user", "list"))
        listing = req.listing()
        write_page(req, resp, listing, queries.list_users(req.database, listing), user_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Create a user of the database."""
        require_system(req, ("user", "create"))
        if configuration.value(req.database, "auth_mode") != "db_auth":
            raise Forbidden("users are kept in the directory: they come with their first login")
        new = read_body(req, NewUserBody).new_user()
        user = commands.create_user(req.database, new, now=req.now, context=req.event_context)
        resp.created(f"{API}/users/{user.id}")


class UserSearch:
    """/users/search."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Find users by a part of their name."""
        require_login(req)
        text = req.text("username")
        if not text:
            raise Unprocessable("username is required")
        listing = req.listing()
        write_page(req, resp, listing, queries.search_users(req.database, text, listing), found_user_view)


class CurrentUser:
    """/users/current."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show the caller's own account."""
        resp.media = user_view(queries.get_user(req.database, _own_id(req)))


class CurrentRoles:
    """/users/current/roles."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the projects in which the caller has a role, with the strongest in each."""
        require_login(req)
        listing = req.listing()
        write_page(req, resp, listing, projects.held_roles(req.database, req.caller, listing), held_role_view)


class CurrentPermissions:
    """/users/current/permissions."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List what the caller may do in a project, or to the system."""
        require_login(req)
        scope = req.text("scope").strip("/")
        match scope.split("/"):
            case [""]:
                granted = SYSTEM_ACCESS if req.caller.is_admin else system_permissions(req.caller)
            case ["project", project]:
                granted = project_permissions(req, project)
            case _:
                raise BadRequest("scope must be / or /project/{project}")
        relative = req.flag("relative", default=False)
        prefix = "" if relative or not scope else f"/{scope}/"
        resp.media = [permission_view((f"{prefix}{resource}", action)) for resource, action in sorted(granted)]


class OneUser:
    """/users/{user_id}."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """Show an account to its owner and to administrators."""
        resp.media = user_view(queries.get_user(req.database, _self_or(req, user_id, "read")))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Change an account's profile."""
        number = _self_or(req, user_id, "update")
        profile = read_body(req, ProfileBody).profile()
        commands.update_profile(
            req.database,
            number,
            profile,
            of_administrators=req.caller.is_admin,
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Delete an account, never the caller's own."""
        require_system(req, ("user", "delete"))
        number = identifier(user_id)
        if _is_own(req, number):
            raise Forbidden("you cannot delete your own account")
        commands.delete_user(
            req.database, number, of_administrators=req.caller.is_admin, now=req.now, context=req.event_context
        )


class UserAdministrator:
    """/users/{user_id}/sysadmin."""

    def on_put(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Make somebody a system administrator, or no longer one: only administrators may."""
        require_administrator(req)
        flag = read_body(req, AdministratorBody).sysadmin_flag
        commands.set_sysadmin(
            req.database, identifier(user_id), flag=flag, now=req.now, context=req.event_context
        )


class UserDisabled:
    """/users/{user_id}/disabled, an extension of Breakwater."""

    def on_put(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Shut an account out, or let it in again: only administrators may, and nobody shuts himself out."""
        require_administrator(req)
        number = identifier(user_id)
        flag = read_body(req, DisabledBody).disabled
        if flag and _is_own(req, number):
            raise Forbidden("you cannot disable your own account")
        commands.set_disabled(req.database, number, flag=flag, now=req.now, context=req.event_context)


class UserPassword:
    """/users/{user_id}/password."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def on_put(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Change a password; of one's own only with the old one, of others only as an administrator."""
        require_login(req)
        number = identifier(user_id)
        if not _is_own(req, number):
            require_administrator(req)
        body = read_body(req, PasswordBody)
        if _is_own(req, number):
            self._prove(req, Secret(body.old_password))
        commands.change_password(
            req.database,
            number,
            Secret(body.new_password),
            old=Secret(body.old_password) if _is_own(req, number) else None,
            now=req.now,
            context=req.event_context,
        )


    def _prove(self, req: ApiRequest, password: Secret) -> None:
        """Whoever has a session only may not know the password: here it is guessed no more often than elsewhere.

        Raises Forbidden, TooManyGuesses, Unavailable.
        """
        verdict = self._sign_in.judge(req, Credential(name=req.caller.name, password=password))
        if isinstance(verdict, Rejected):
            if verdict.reason is Reason.GUESSING:
                raise TooManyGuesses(verdict.retry_after)
            raise Forbidden("the current password is not correct")


def _is_own(req: ApiRequest, user_id: int) -> bool:
    return req.caller.kind is PrincipalKind.USER and req.caller.id == user_id


def _own_id(req: ApiRequest) -> int:
    caller = require_login(req)
    if caller.kind is not PrincipalKind.USER or caller.id is None:
        raise PreconditionFailed("a robot account is no user")
    return caller.id


def _self_or(req: ApiRequest, user_id: str, action: str) -> int:
    """The number of an account that is the caller's own, or that he may do this to."""
    require_login(req)
    number = identifier(user_id)
    if not _is_own(req, number):
        require_system(req, ("user", action))
    return number
