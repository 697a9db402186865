"""Tags: the names of artifacts within a repository."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.definitions.artifact import Origin
from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class TagEvent(Event):
    """The fields both tag events share."""

    noun: ClassVar[str] = "tag"
    permission: ClassVar[Visibility] = Visibility.REPOSITORY_LIST

    project: Annotated[str, "the project's name"]
    repository: Annotated[str, "the repository's full name, project included"]
    tag: Annotated[str, "the tag"]
    digest: Annotated[str | None, "digest of the manifest it names or named, null when not known"] = None
    project_id: Annotated[int | None, "the project's number, null when not known"] = None
    origin: Annotated[Origin, "who noticed"] = Origin.REGISTRY

    @property
    def subject(self) -> str:
        """`project/repository:tag`."""
        return f"{self.repository}:{self.tag}"


@dataclass(frozen=True, kw_only=True)
class TagCreated(TagEvent):
    """A tag was put on an artifact that was there already. A push with a tag is an `artifact.pushed` alone."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class TagDeleted(TagEvent):
    """A tag was taken off, by itself or with its artifact."""

    verb: ClassVar[str] = "deleted"
