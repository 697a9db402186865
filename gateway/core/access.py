"""Who may do what: the one place where the API decides, from the role matrix that token mount and gate ask too.

No permission is 401 for somebody anonymous and 403 for anybody else, before it matters whether a thing exists; so a
private project and a missing one look the same.
"""

from dataclasses import dataclass

from gateway.core.inner import inner_of
from gateway.core.request import ApiRequest
from services.api.domain.robot import EVERY_PROJECT, RobotPermission, Scope
from services.api.errors import NoSuchProject
from services.api.queries.project import name_of
from shared import directory
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.roles import Permission, Role
from shared.errors import Forbidden, Unauthorized


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A project that exists, and what the caller is and may do in it."""

    project_id: int
    name: str
    public: bool
    roles: frozenset[Role]
    granted: frozenset[Permission]


def require(req: ApiRequest, *needed: Permission, granted: frozenset[Permission]) -> None:
    """Go on only with every needed permission. Raises Unauthorized, Forbidden."""
    if not granted.issuperset(needed):
        raise Forbidden if req.caller.is_authenticated else Unauthorized


def require_login(req: ApiRequest) -> Principal:
    """Somebody has signed in, whoever it is. Raises Unauthorized."""
    if not req.caller.is_authenticated:
        raise Unauthorized
    return req.caller


def require_administrator(req: ApiRequest) -> None:
    """Only a person who is a system administrator: what no robot account can be given. Raises as `require`."""
    if not req.caller.is_admin:
        raise Forbidden if req.caller.is_authenticated else Unauthorized


def require_system(req: ApiRequest, *needed: Permission) -> None:
    """The caller may do this to the system: an administrator, or a robot that was given it. Raises as `require`."""
    if not req.caller.is_admin:
        require(req, *needed, granted=system_permissions(req.caller))


def require_project(req: ApiRequest, named: str, *needed: Permission, by_name: bool = False) -> Place:
    """The project of a path, for a caller who may do all that is needed there.

    `named` is a number where it looks like one, unless the path or the header X-Is-Resource-Name takes it for a name.
    Raises Unauthorized, Forbidden, and NoSuchProject for an administrator.
    """
    rights = _rights(req, named if by_name else _name(req, named))
    granted = directory.effective_permissions(req.caller, rights)
    if not req.caller.is_admin:
        require(req, *needed, granted=granted)
    if rights.project_id is None:
        raise NoSuchProject
    return Place(
        project_id=rights.project_id, name=rights.name, public=rights.public, roles=rights.roles, granted=granted
    )


def project_permissions(req: ApiRequest, named: str, *, by_name: bool = False) -> frozenset[Permission]:
    """All that the caller may do in a project: nothing in one that is closed to him, nor in one that is missing.

    `named` as in `require_project`. Raises NoSuchProject for an administrator.
    """
    rights = _rights(req, named if by_name else _name(req, named))
    if req.caller.is_admin and not rights.exists:
        raise NoSuchProject
    return directory.effective_permissions(req.caller, rights)


def system_permissions(caller: Principal) -> frozenset[Permission]:
    """What a robot account was given beyond projects; nobody else but administrators has any."""
    if caller.kind is not PrincipalKind.ROBOT:
        return frozenset()
    return frozenset().union(*(grant.permissions for grant in caller.robot_grants if grant.namespace == "/"))


def may_grant(req: ApiRequest, permission: RobotPermission) -> frozenset[Permission]:
    """What the caller may hand on to a robot account in the place of a permission: what he may do there himself."""
    if req.caller.is_admin:
        return permission.access
    if permission.scope is Scope.SYSTEM:
        return system_permissions(req.caller)
    if permission.namespace == EVERY_PROJECT:
        everywhere = (grant.permissions for grant in req.caller.robot_grants if grant.namespace == EVERY_PROJECT)
        return frozenset().union(*everywhere)
    return directory.effective_permissions(req.caller, _rights(req, permission.namespace))


def _name(req: ApiRequest, named: str) -> str | None:
    """The name of a project that a path names; None where no project has the number that stands there."""
    if not named.isascii() or not named.isdigit() or req.header_flag("X-Is-Resource-Name"):
        return named
    return name_of(req.database, int(named)) if len(named) < 10 else None  # noqa: PLR2004 - an int4 has no more


def _rights(req: ApiRequest, name: str | None) -> directory.ProjectRights:
    if name is None:
        return directory.ProjectRights.absent("")
    inner = inner_of(req.env)
    if inner is not None and name in inner.rights:
        return inner.rights[name]
    rights = directory.project_rights(directory.plain(req.database), req.caller, [name])[name]
    if inner is not None:
        inner.rights[name] = rights
    return rights
