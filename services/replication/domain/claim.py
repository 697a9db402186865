"""A task in a worker's hand, and fairness in handing tasks out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.replication.domain.policy import Policy
from services.replication.domain.registry import Registry
from services.replication.domain.task import Operation
from shared.names import Digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A task that this worker holds, with all it takes to carry it out."""

    worker: UUID
    task_id: int
    execution_id: int
    attempt: int
    operation: Operation
    source: str
    target: str
    references: tuple[str, ...]
    dry_run: bool
    policy: Policy
    registry: Registry
    public: bool
    """Whether the project it comes from is public, as far as this registry knows it."""
    referred: bool
    """Whether anything here may refer to an artifact of its repository."""
    catalogued: Mapping[str, Digest] = field(default_factory=dict)
    """What its tags stood for in the catalogue here when it was taken, where all is compared.

    Empty where another registry is the source, and for what an event brought: that may be ahead of the catalogue.
    """
    traceparent: str = ""
    """What it follows from; empty where that was not traced."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A policy that has tasks to do, and how much of it is under way."""

    policy_id: int
    registry_id: int
    room: int
    """How many more of its tasks may run at once."""
    running: int
    served_at: datetime | None


def share_out(waiting: Sequence[Waiting], room: dict[int, int], free: int) -> dict[int, int]:
    """How many tasks of each policy are begun: one after the other, to whom has least under way and waited longest.

    `room` is how many more tasks may run with each registry, `free` how many this worker can take.
    """
    given = {each.policy_id: 0 for each in waiting}
    left = dict(room)
    for _ in range(free):
        able = [
            each for each in waiting if given[each.policy_id] < each.room and left.get(each.registry_id, 0) > 0
        ]
        if not able:
            break
        chosen = min(able, key=lambda each: (each.running + given[each.policy_id], _since(each), each.policy_id))
        given[chosen.policy_id] += 1
        left[chosen.registry_id] -= 1
    return {policy_id: number for policy_id, number in given.items() if number}


def _since(each: Waiting) -> float:
    return each.served_at.timestamp() if each.served_at else 0.0
