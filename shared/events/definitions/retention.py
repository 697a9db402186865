"""Retention: what rules keep of a project's artifacts."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class RetentionFinished(Event):
    """An execution of a project's retention policy has ended. After a dry run nothing was deleted."""

    noun: ClassVar[str] = "retention"
    verb: ClassVar[str] = "finished"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    project: Annotated[str, "the project's name"]
    project_id: Annotated[int, "the project's number"]
    policy_id: Annotated[int, "the policy's number"]
    execution_id: Annotated[int, "the execution's number"]
    trigger: Annotated[str, "what began it: MANUAL or SCHEDULE"]
    dry_run: Annotated[bool, "whether it only listed what would go"]
    status: Annotated[str, "how it ended: Success, Error or Stopped"]
    rules: Annotated[tuple[str, ...], "the rules it followed, each as a JSON object in the form of the API"]
    total: Annotated[int, "how many artifacts were looked at"]
    retained: Annotated[int, "how many of them stay"]
    deleted: Annotated[int, "how many went, or would go in a dry run"]
    deleted_artifacts: Annotated[tuple[str, ...], "their names, by tag or else by digest; the first thousand"]

    @property
    def subject(self) -> str:
        """The project's name."""
        return self.project
