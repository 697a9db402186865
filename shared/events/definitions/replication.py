"""Replication at work: executions of a policy, and their tasks."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class ReplicationEvent(Event):
    """The fields all events of an execution share."""

    noun: ClassVar[str] = "replication"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    execution_id: Annotated[int, "the execution's number"]
    policy_id: Annotated[int, "the policy's number"]
    policy: Annotated[str, "the policy's name"]

    @property
    def subject(self) -> str:
        """`policy/execution`."""
        return f"{self.policy}/{self.execution_id}"


@dataclass(frozen=True, kw_only=True)
class ReplicationStarted(ReplicationEvent):
    """An execution of a replication policy has begun: what there is to do is being listed."""

    verb: ClassVar[str] = "started"

    trigger: Annotated[str, "what began it: manual, scheduled or event_based"]
    operator: Annotated[str, "who began it, or made the policy that did"]
    dry_run: Annotated[bool, "whether it only lists what would be done"]


@dataclass(frozen=True, kw_only=True)
class ReplicationCounters(ReplicationEvent):
    """How far an execution is."""

    total: Annotated[int, "how many tasks it has"]
    in_progress: Annotated[int, "how many of them have not ended"]
    succeeded: Annotated[int, "how many succeeded"]
    failed: Annotated[int, "how many failed"]
    stopped: Annotated[int, "how many were stopped, before they began or under way"]
    blobs_total: Annotated[int, "how many blobs and manifests there are to copy, as far as that is known"]
    blobs_done: Annotated[int, "how many of them are at the target"]
    bytes_total: Annotated[int, "how many bytes these are"]
    bytes_done: Annotated[int, "how many of them are at the target, whoever brought them"]
    bytes_sent: Annotated[int, "how many went over the wire"]


@dataclass(frozen=True, kw_only=True)
class ReplicationProgressed(ReplicationCounters):
    """An execution goes on. It is told from time to time, and not recorded."""

    verb: ClassVar[str] = "progressed"

    bytes_per_second: Annotated[int, "how fast it is right now"]
    eta_seconds: Annotated[int | None, "in how many seconds it will be through; null where that cannot be told"]


@dataclass(frozen=True, kw_only=True)
class ReplicationFinished(ReplicationCounters):
    """An execution has ended. After a dry run nothing was copied or deleted."""

    verb: ClassVar[str] = "finished"

    trigger: Annotated[str, "what began it: manual, scheduled or event_based"]
    operator: Annotated[str, "who began it, or made the policy that did"]
    dry_run: Annotated[bool, "whether it only listed what would be done"]
    state: Annotated[str, "how it ended: succeeded, failed or stopped"]
    message: Annotated[str, "a sentence about that, where there is something to say"]


@dataclass(frozen=True, kw_only=True)
class ReplicationTaskFinished(Event):
    """A task has ended that was begun. What is stopped before it began is counted by its execution alone."""

    noun: ClassVar[str] = "replication_task"
    verb: ClassVar[str] = "finished"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    task_id: Annotated[int, "the task's number"]
    execution_id: Annotated[int, "the execution's number"]
    policy_id: Annotated[int, "the policy's number"]
    policy: Annotated[str, "the policy's name"]
    trigger: Annotated[str, "what began the execution: manual, scheduled or event_based"]
    operator: Annotated[str, "who began the execution, or made the policy that did"]
    project: Annotated[str, "the project here that is copied from or to"]
    project_id: Annotated[int | None, "its number, null where it is not known"] = None
    operation: Annotated[str, "copy or deletion"]
    kind: Annotated[str, "the type of resource: image or artifact"]
    source: Annotated[str, "the repository it comes from"]
    target: Annotated[str, "the repository it goes to"]
    tags: Annotated[tuple[str, ...], "the tags, or the digest of what has none"]
    state: Annotated[str, "how it ended: succeeded, failed or stopped"]
    fault: Annotated[str, "why it failed, in one word, `conflict`; empty where it did not"]
    message: Annotated[str, "a sentence about that, where there is something to say"]
    bytes_sent: Annotated[int, "how many bytes went over the wire"]
    pushed: Annotated[bool, "whether it went from here to the other registry; else it came from there"]
    registry_id: Annotated[int, "the number of the registry on the other side"]
    registry: Annotated[str, "its name"]
    registry_kind: Annotated[str, "which registry it is, `harbor`, `docker-registry`"]
    registry_url: Annotated[str, "where it is"]
    override: Annotated[bool, "whether the policy puts its artifacts in the place of others"]
    creator: Annotated[str, "who made the policy"]
    began: Annotated[str, "when the execution began, RFC 3339"]

    @property
    def subject(self) -> str:
        """The repository it goes to, with the first of the tags: `library/app:1.0`."""
        if not self.tags:
            return self.target
        return f"{self.target}{'@' if ':' in self.tags[0] else ':'}{self.tags[0]}"
