"""Repositories: they come into being with their first push, so only changes and ends are events."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class RepositoryEvent(Event):
    """The fields both repository events share."""

    noun: ClassVar[str] = "repository"
    permission: ClassVar[Visibility] = Visibility.REPOSITORY_LIST

    project: Annotated[str, "the project's name"]
    repository: Annotated[str, "the repository's full name, project included"]
    project_id: Annotated[int | None, "the project's number, null when not known"] = None

    @property
    def subject(self) -> str:
        """`project/repository`."""
        return self.repository


@dataclass(frozen=True, kw_only=True)
class RepositoryUpdated(RepositoryEvent):
    """A repository's description was changed."""

    verb: ClassVar[str] = "updated"


@dataclass(frozen=True, kw_only=True)
class RepositoryDeleted(RepositoryEvent):
    """A repository was deleted with all its artifacts; each artifact has an `artifact.deleted` of its own."""

    verb: ClassVar[str] = "deleted"
