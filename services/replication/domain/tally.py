"""Figures of a policy that only grow: they outlive the executions that they were counted from."""

from collections import Counter
from enum import StrEnum


class Figure(StrEnum):
    """What is counted; nothing of a dry run is."""

    TASKS = "tasks"
    """Tasks that have ended, by their state."""
    FAILURES = "failures"
    """Attempts that failed, and tasks that were given up without one, by their fault."""
    ARTIFACTS_COPIED = "artifacts_copied"
    """Tasks that put something at the target that was not there."""
    BYTES_SENT = "bytes_sent"
    """Over the wire, by every attempt that came to an end."""


Tally = Counter[tuple[int, Figure, str]]
"""By policy, figure, and its kind: a state, a fault, or nothing."""
