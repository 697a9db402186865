"""Labels of a project or of all projects, and the artifacts that they are put on."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class LabelEvent(Event):
    """The fields all label events share."""

    noun: ClassVar[str] = "label"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    label_id: Annotated[int, "the label's number"]
    label: Annotated[str, "the label's name"]


@dataclass(frozen=True, kw_only=True)
class KeptLabelEvent(LabelEvent):
    """The fields of the events about a label itself."""

    project: Annotated[str | None, "the name of the project that keeps it, null for a global label"] = None
    project_id: Annotated[int | None, "the project's number, null for a global label"] = None

    @property
    def subject(self) -> str:
        """`project/label`, or the name of a global label."""
        return f"{self.project}/{self.label}" if self.project else self.label


@dataclass(frozen=True, kw_only=True)
class LabelCreated(KeptLabelEvent):
    """A label was created."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class LabelUpdated(KeptLabelEvent):
    """A label was changed; `label` is the name it has now."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed: name, description, color"]


@dataclass(frozen=True, kw_only=True)
class LabelDeleted(KeptLabelEvent):
    """A label was deleted, and is on no artifact any more."""

    verb: ClassVar[str] = "deleted"


@dataclass(frozen=True, kw_only=True)
class BorneLabelEvent(LabelEvent):
    """The fields of the events about a label on an artifact."""

    project: Annotated[str, "the name of the artifact's project"]
    project_id: Annotated[int, "the number of the artifact's project"]
    repository: Annotated[str, "the repository's full name, project included"]
    digest: Annotated[str, "digest of the artifact's manifest"]

    @property
    def subject(self) -> str:
        """`project/repository@digest`."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class LabelAttached(BorneLabelEvent):
    """A label was put on an artifact."""

    verb: ClassVar[str] = "attached"


@dataclass(frozen=True, kw_only=True)
class LabelDetached(BorneLabelEvent):
    """A label was taken off an artifact, which goes on without it."""

    verb: ClassVar[str] = "detached"
