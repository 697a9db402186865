"""Executions: one run of a policy, and what its tasks have come to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.replication.domain.policy import Trigger


class Scope(StrEnum):
    """What a run looks at."""

    EVERYTHING = "everything"
    """Both sides are compared."""
    CHANGES = "changes"
    """What events have told, and nothing else."""


class ExecutionState(StrEnum):
    """How far a run is. From the first two it leads to one of the last three, once."""

    PREPARING = "preparing"
    """What there is to do is being listed."""
    RUNNING = "running"
    """There are tasks that have not ended."""
    SUCCEEDED = "succeeded"
    """All is as it should be."""
    FAILED = "failed"
    """Something could not be copied or deleted."""
    STOPPED = "stopped"
    """It was stopped before its end."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self in {ExecutionState.PREPARING, ExecutionState.RUNNING}


def outcome_of(*, failed: int, stopped: int) -> ExecutionState:
    """What a run comes to whose tasks have all ended."""
    if failed:
        return ExecutionState.FAILED
    return ExecutionState.STOPPED if stopped else ExecutionState.SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """One run of a policy."""

    id: int
    policy_id: int
    trigger: Trigger
    scope: Scope
    dry_run: bool
    operator: str
    state: ExecutionState
    message: str
    stopping: bool
    total: int
    in_progress: int
    succeeded: int
    failed: int
    stopped: int
    created_at: datetime
    ended_at: datetime | None
    traceparent: str = ""
    """What trace its tasks belong to; empty where whoever began it was not traced."""
