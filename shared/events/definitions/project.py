"""Projects."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class ProjectEvent(Event):
    """The fields all project events share."""

    noun: ClassVar[str] = "project"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    project: Annotated[str, "the project's name"]
    project_id: Annotated[int, "the project's number"]

    @property
    def subject(self) -> str:
        """The project's name."""
        return self.project


@dataclass(frozen=True, kw_only=True)
class ProjectCreated(ProjectEvent):
    """A project was created; its creator is its first project administrator."""

    verb: ClassVar[str] = "created"

    public: Annotated[bool, "whether anybody may pull from it"]


@dataclass(frozen=True, kw_only=True)
class ProjectUpdated(ProjectEvent):
    """A project's settings were changed."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the settings that were changed"]
    public: Annotated[bool, "whether anybody may pull from it now"]


@dataclass(frozen=True, kw_only=True)
class ProjectDeleted(ProjectEvent):
    """A project was deleted. Every service forgets what it keeps of it."""

    verb: ClassVar[str] = "deleted"
