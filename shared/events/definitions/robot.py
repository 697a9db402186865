"""Robot accounts of a project or of the system."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class RobotEvent(Event):
    """The fields all robot events share."""

    noun: ClassVar[str] = "robot"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    robot_id: Annotated[int, "the robot account's number"]
    robot: Annotated[str, "the robot account's full name"]
    project: Annotated[str | None, "the project's name, null for a robot of the system"] = None
    project_id: Annotated[int | None, "the project's number, null for a robot of the system"] = None

    @property
    def subject(self) -> str:
        """The robot account's full name."""
        return self.robot


@dataclass(frozen=True, kw_only=True)
class RobotCreated(RobotEvent):
    """A robot account was created."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class RobotUpdated(RobotEvent):
    """A robot account was changed: its rights, its end, its state, its secret."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed, never their values"]


@dataclass(frozen=True, kw_only=True)
class RobotDeleted(RobotEvent):
    """A robot account was deleted."""

    verb: ClassVar[str] = "deleted"
