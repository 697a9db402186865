"""Users and permissions as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.api.domain.project import HeldRole
from services.api.domain.user import User
from shared.auth.roles import Permission


def user_view(user: User) -> Json:
    """An account as its owner and administrators see it."""
    return {
        "user_id": user.id,
        "username": user.username,
        "email": user.email,
        "realname": user.realname,
        "comment": user.comment,
        "sysadmin_flag": user.sysadmin,
        "admin_role_in_auth": user.directory_admin,
        "disabled": user.disabled,
        "creation_time": time_or_never(user.created_at),
        "update_time": time_or_never(user.updated_at),
    }


def found_user_view(user: User) -> Json:
    """An account as everybody sees it who looks for a name."""
    return {"user_id": user.id, "username": user.username}


def held_role_view(held: HeldRole) -> Json:
    """A project, and the role that the caller has in it."""
    return {
        "project_id": held.project_id,
        "project_name": held.project_name,
        "role_id": held.role.value,
        "role_name": held.role.label,
    }


def permission_view(permission: Permission) -> Json:
    """A permission."""
    return {"resource": permission[0], "action": permission[1]}
