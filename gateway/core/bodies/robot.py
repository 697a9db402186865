"""Bodies about robot accounts."""

from pydantic import Field

from gateway.core.reading import Body
from services.api.domain.robot import AS_CONFIGURED, Level, NewRobot, Robot, RobotChange, RobotPermission, Scope
from shared.errors import BadRequest


class AccessBody(Body):
    """One permission."""

    resource: str = Field(default="", max_length=100)
    action: str = Field(default="", max_length=100)
    effect: str = ""


class PermissionBody(Body):
    """Permissions in one place."""

    kind: str = ""
    namespace: str = Field(default="", max_length=255)
    access: list[AccessBody] = Field(default=[], max_length=500)

    def permission(self) -> RobotPermission:
        """The permission meant. Raises BadRequest for a kind or an effect that does not exist."""
        if any(each.effect not in {"", "allow"} for each in self.access):
            raise BadRequest("the effect of a permission can only be to allow")
        try:
            scope = Scope(self.kind)
        except ValueError as error:
            raise BadRequest("the kind of a permission is system or project") from error
        access = frozenset((each.resource, each.action) for each in self.access)
        return RobotPermission(scope=scope, namespace=self.namespace, access=access)


class NewRobotBody(Body):
    """A robot account to be made."""

    name: str = ""
    description: str = ""
    level: str = ""
    duration: int = AS_CONFIGURED
    disable: bool = False
    permissions: list[PermissionBody] = Field(default=[], max_length=500)

    def parsed_level(self) -> Level:
        """Where it shall live. Raises BadRequest."""
        try:
            return Level(self.level)
        except ValueError as error:
            raise BadRequest("level must be system or project") from error

    def project(self) -> str:
        """The project it shall live in: that of its permission. Raises BadRequest where there is none."""
        named = self.permissions[0].namespace if self.permissions else ""
        if not named:
            raise BadRequest("a robot account of a project takes one permission, of that very project")
        return named

    def new_robot(self, default_days: int) -> NewRobot:
        """The robot account asked for."""
        return NewRobot(
            name=self.name,
            description=self.description,
            duration_days=default_days if self.duration == AS_CONFIGURED else self.duration,
            disabled=self.disable,
            permissions=tuple(each.permission() for each in self.permissions),
        )


class RobotBody(Body):
    """A robot account as it shall be: without a word of them its description is empty and it is not disabled.

    What it may and how long it lasts stay where they are not named.
    """

    name: str | None = None
    level: str | None = None
    description: str = ""
    duration: int | None = None
    disable: bool = False
    permissions: list[PermissionBody] | None = Field(default=None, max_length=500)

    def change(self, robot: Robot, default_days: int, *, prefix: str) -> RobotChange:
        """What shall change. Raises BadRequest where it is the level or the name."""
        short_name = robot.name.rpartition("+")[2]
        if self.level not in {None, "", robot.level} or self.name not in {
            None, "", robot.name, prefix + robot.name, short_name,
        }:  # fmt: skip
            raise BadRequest("the level and the name of a robot account cannot be changed")
        permissions = None if self.permissions is None else tuple(each.permission() for each in self.permissions)
        return RobotChange(
            description=self.description,
            duration_days=default_days if self.duration == AS_CONFIGURED else self.duration,
            disabled=self.disable,
            permissions=permissions,
        )


class SecretBody(Body):
    """A chosen secret, empty for a new one."""

    secret: str = Field(default="", repr=False)
