"""Purges of the audit record, as they are asked for: which kinds of records, older than how many hours."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.api.domain.retention import Status, Trigger
from shared.errors import BadRequest

MAX_HOURS: Final = 24 * 366 * 27
MAX_KINDS: Final = 200
_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")


@dataclass(frozen=True, kw_only=True, slots=True)
class PurgeWish:
    """What shall be purged."""

    hours: int
    kinds: tuple[str, ...]
    """Kinds of records, as `create_artifact`, or operations, which stand for all of theirs; none purges nothing."""
    dry_run: bool
    parameters: Mapping[str, Any]
    """As they were given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPurge:
    """A purge that was asked for, and what came of it."""

    id: int
    trigger: Trigger
    parameters: Mapping[str, Any]
    status: Status
    log: str
    created_at: datetime
    updated_at: datetime


def parse_wish(parameters: Mapping[str, Any]) -> PurgeWish:
    """Read the parameters of a purge, by Harbor's names of today and of before. Raises BadRequest."""
    hours = parameters.get("audit_retention_hour")
    if type(hours) is not int or not 0 < hours <= MAX_HOURS:
        raise BadRequest(f"parameters.audit_retention_hour must be a whole number from 1 to {MAX_HOURS}")
    given = parameters.get("include_event_types", parameters.get("include_operations"))
    if not isinstance(given, str):
        raise BadRequest("parameters.include_event_types must be a text: event types with commas between")
    kinds = tuple(dict.fromkeys(word for word in (part.strip().lower() for part in given.split(",")) if word))
    if len(kinds) > MAX_KINDS or not all(_WORD.fullmatch(kind) for kind in kinds):
        raise BadRequest("parameters.include_event_types must be event types with commas between")
    dry_run = parameters.get("dry_run", False)
    if not isinstance(dry_run, bool):
        raise BadRequest("parameters.dry_run must be true or false")
    kept = {
        "audit_retention_hour": hours,
        "dry_run": dry_run,
        "include_event_types" if "include_event_types" in parameters else "include_operations": given,
    }
    return PurgeWish(hours=hours, kinds=kinds, dry_run=dry_run, parameters=kept)
