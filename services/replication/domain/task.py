"""Tasks: one artifact on its way, with all its tags, its children and whatever refers to it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.replication.domain.policy import ResourceKind

MOST_ATTEMPTS: Final = 6
"""After so many a task has failed; the policy is compared anew once the other side is back."""
_FIRST_PAUSE: Final = timedelta(seconds=2)
_LONGEST_PAUSE: Final = timedelta(minutes=5)


class Operation(StrEnum):
    """What a task does."""

    COPY = "copy"
    """Brings an artifact to the target."""
    DELETION = "deletion"
    """Takes from the target what the policy once brought there."""


class TaskState(StrEnum):
    """How far a task is."""

    PENDING = "pending"
    """It waits for its turn, or for another attempt."""
    RUNNING = "running"
    """A worker has it."""
    SUCCEEDED = "succeeded"
    """It is done."""
    FAILED = "failed"
    """It has been tried often enough, or trying again is of no use."""
    STOPPED = "stopped"
    """It was stopped."""

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self in {TaskState.PENDING, TaskState.RUNNING}


class Fault(StrEnum):
    """Why an attempt failed, as metrics count it."""

    UNREACHABLE = "unreachable"
    """No connection, or it broke, or nothing came in time."""
    OVERLOADED = "overloaded"
    """The other side asks for a pause, or has no room for now: 429, 503, 507, or a write refused with Retry-After."""
    SERVER_ERROR = "server_error"
    """The other side answered 5xx."""
    DENIED = "denied"
    """The credential is not taken, or may not do this."""
    NOT_FOUND = "not_found"
    """What is to be copied is gone, or its content is missing."""
    CONFLICT = "conflict"
    """The target has something else under this tag, and it may not be overwritten."""
    CORRUPT = "corrupt"
    """Content came whose digest is another."""
    REFUSED = "refused"
    """The target takes no such content: a quota, an immutable tag, a manifest it does not know."""
    INTERNAL = "internal"
    """A fault of ours."""

    @property
    def passes(self) -> bool:
        """Whether another attempt may do."""
        return self in {
            Fault.UNREACHABLE, Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.CORRUPT, Fault.INTERNAL, Fault.DENIED,
        }  # fmt: skip


def pause_before(attempt: int, *, chance: float, asked: timedelta | None = None) -> timedelta:
    """How long to wait before an attempt (the first repeated one is 2): doubled each time, with jitter.

    `chance` is a random number between 0 and 1; what the other side asks for is heeded, up to the longest pause.
    """
    doubled = min(_LONGEST_PAUSE, _FIRST_PAUSE * (1 << min(max(0, attempt - 2), 16))) * (0.5 + chance)
    return min(_LONGEST_PAUSE, max(doubled, asked or timedelta()))


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a task is, in blobs and bytes."""

    blobs_total: int = 0
    blobs_done: int = 0
    bytes_total: int = 0
    bytes_done: int = 0
    """There at the target, whoever brought them."""
    bytes_sent: int = 0
    """Over the wire."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A task as it is stored."""

    id: int
    execution_id: int
    policy_id: int
    operation: Operation
    kind: ResourceKind
    source: str
    target: str
    digest: str | None
    """None: whatever the tags stand for when it runs."""
    tags: tuple[str, ...]
    state: TaskState
    attempts: int
    fault: Fault | None
    message: str
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
