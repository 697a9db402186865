"""Artifacts: images, indexes and any other manifest the registry keeps."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


class Origin(StrEnum):
    """Who noticed that it happened."""

    REGISTRY = "registry"
    """The registry's own notification."""
    GATE = "gate"
    """The gate for manifest writes, when it acted itself."""
    RECONCILER = "reconciler"
    """The comparison with the registry, after a notification was lost."""
    ADOPT = "adopt"
    """The cataloguing of storage that was there before."""


@dataclass(frozen=True, kw_only=True)
class ArtifactEvent(Event):
    """The fields all artifact events share."""

    noun: ClassVar[str] = "artifact"
    permission: ClassVar[Visibility] = Visibility.REPOSITORY_LIST

    project: Annotated[str, "the project's name"]
    repository: Annotated[str, "the repository's full name, project included"]
    digest: Annotated[str, "digest of the manifest"]
    tag: Annotated[str | None, "the tag that was named, or null when it was named by digest"] = None
    media_type: Annotated[str | None, "media type of the manifest, null when not known"] = None
    size: Annotated[int | None, "bytes of the manifest itself, null when not known"] = None
    project_id: Annotated[int | None, "the project's number, null when not known"] = None
    origin: Annotated[Origin, "who noticed"] = Origin.REGISTRY

    @property
    def subject(self) -> str:
        """`project/repository:tag`, or `project/repository@digest` without a tag."""
        return f"{self.repository}:{self.tag}" if self.tag else f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class ArtifactPushed(ArtifactEvent):
    """A manifest was stored. The children of an index are pushed before it, without a tag."""

    verb: ClassVar[str] = "pushed"


@dataclass(frozen=True, kw_only=True)
class ArtifactPulled(ArtifactEvent):
    """A manifest was read by GET. A HEAD is not a pull."""

    verb: ClassVar[str] = "pulled"

    counted: Annotated[bool, "whether it counts as a pull; replication's own reads do not"] = True


@dataclass(frozen=True, kw_only=True)
class ArtifactDeleted(ArtifactEvent):
    """A manifest was deleted by digest, and with it all its tags; each tag has a `tag.deleted` of its own."""

    verb: ClassVar[str] = "deleted"
