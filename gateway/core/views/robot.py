"""Robot accounts as the API shows them."""

from datetime import datetime
from typing import Final

from gateway.core.writing import Json, given, time_or_never
from services.api.domain.robot import Robot, RobotPermission
from shared.auth.principals import PrincipalKind
from shared.secrets import Secret

_CREATORS: Final = {PrincipalKind.USER: "local", PrincipalKind.ROBOT: "robot"}
"""In Harbor's words."""


def robot_view(robot: Robot, *, prefix: str) -> Json:
    """A robot account; its secret is not known any more."""
    return given(
        id=robot.id,
        name=prefix + robot.name,
        description=robot.description,
        level=robot.level,
        duration=robot.duration_days,
        editable=True,
        disable=robot.disabled,
        expires_at=_epoch(robot.expires_at),
        permissions=[_permission_view(each) for each in robot.permissions],
        creator_type=robot.creator_kind and _CREATORS[robot.creator_kind],
        creator_ref=robot.creator_id,
        creation_time=time_or_never(robot.created_at),
        update_time=time_or_never(robot.updated_at),
    )


def made_robot_view(robot: Robot, secret: Secret, *, prefix: str) -> Json:
    """A robot account right after it was made, with its secret."""
    return {
        "id": robot.id,
        "name": prefix + robot.name,
        "secret": secret.reveal(),
        "creation_time": time_or_never(robot.created_at),
        "expires_at": _epoch(robot.expires_at),
    }


def _permission_view(permission: RobotPermission) -> Json:
    return {
        "kind": permission.scope.value,
        "namespace": permission.namespace,
        "access": [
            {"resource": resource, "action": action, "effect": "allow"}
            for resource, action in sorted(permission.access)
        ],
    }


def _epoch(moment: datetime | None) -> int:
    return -1 if moment is None else int(moment.timestamp())
