"""Jobs as the API's job service shows them, whichever part of Breakwater works them. Nothing is decided by this."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.errors import NotFound, Unprocessable

_FORM: Final = re.compile(r"([a-z_]+)-([0-9]+)")
_MOST: Final = 2**63 - 1
_MOST_OF_UPKEEP: Final = 2**31 - 1


class JobType(StrEnum):
    """What a job does; the words are those of Harbor's API."""

    WEBHOOK = "WEBHOOK"
    """A delivery to an HTTP target."""
    SLACK = "SLACK"
    """A delivery to a Slack channel."""
    RETENTION = "RETENTION"
    """Tag retention in one repository."""
    PURGE_AUDIT_LOG = "PURGE_AUDIT_LOG"
    """A purge of the audit record."""
    GARBAGE_COLLECTION = "GARBAGE_COLLECTION"
    """A collection of garbage."""
    REPLICATION = "REPLICATION"
    """An artifact on its way to or from another registry."""


_UPKEEP: Final = frozenset({JobType.RETENTION, JobType.PURGE_AUDIT_LOG, JobType.GARBAGE_COLLECTION})


@dataclass(frozen=True, kw_only=True, slots=True)
class JobId:
    """A job among those of all types: its type, and the number that the API knows it by elsewhere."""

    type: JobType
    number: int

    @classmethod
    def parse(cls, text: str) -> "JobId":
        """Read the text form. Raises Unprocessable for what has not that form, NotFound where no job can have it."""
        found = _FORM.fullmatch(text)
        if not found:
            raise Unprocessable("a job's id is its type and its number, as in retention-12")
        try:
            job = cls(type=JobType(found[1].upper()), number=int(found[2][:20]))
        except ValueError as error:
            raise NotFound("there is no such type of job") from error
        if not 0 < job.number <= (_MOST_OF_UPKEEP if job.type in _UPKEEP else _MOST):
            raise NotFound
        return job

    def __str__(self) -> str:
        return f"{self.type.value.lower()}-{self.number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job that a process has in hand."""

    id: JobId
    pool_id: UUID
    started_at: datetime | None
    told: str
    """How far it is, as far as it tells."""
    told_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Queue:
    """What waits of one type: what is due and in nobody's hands."""

    type: JobType
    count: int
    oldest_at: datetime | None
    """Since when the oldest could have been begun; None where nothing waits."""
