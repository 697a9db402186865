"""Schedules: what recurs, and by which cron expression."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class ScheduleKind(StrEnum):
    """What recurs."""

    RETENTION = "retention"
    """A project's retention policy; it belongs to the policy."""
    AUDIT_PURGE = "audit_purge"
    """The purge of the audit record; there is one."""
    GARBAGE_COLLECTION = "garbage_collection"
    """The collection of garbage; there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Something that recurs."""

    id: int
    kind: ScheduleKind
    owner_id: int
    cron_type: str
    cron: str
    parameters: Mapping[str, Any]
    next_at: datetime
    created_at: datetime
    updated_at: datetime
