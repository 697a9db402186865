"""Collections of garbage: what is asked for, and what came of it. Storage is freed by them alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.api.domain.retention import Status, Trigger
from shared.errors import BadRequest

MAX_WORKERS: Final = 10
GRACE: Final = timedelta(hours=2)
"""An artifact without a tag that was pushed later stays: its tag, or its index, may be on the way."""
LEASE: Final = timedelta(seconds=30)
"""How long a collection is taken for alive of which nothing is heard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionWish:
    """What shall be collected."""

    delete_untagged: bool
    """Artifacts go first that have no tag, and that no other artifact keeps."""
    dry_run: bool
    parameters: Mapping[str, Any]
    """As they were given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A collection that was asked for, and what came of it."""

    id: int
    trigger: Trigger
    parameters: Mapping[str, Any]
    delete_untagged: bool
    dry_run: bool
    actor: str
    status: Status
    log: str
    progress: str
    """How far it is, in a few words; empty where it has not begun, or has ended."""
    artifacts: int
    """Without a tag, that were deleted."""
    blobs: int
    freed: int
    """Bytes of the storage; of a dry run: what would be freed."""
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


def parse_wish(parameters: Mapping[str, Any]) -> CollectionWish:
    """Read the parameters of a collection. Raises BadRequest."""
    flags = {name: parameters.get(name, False) for name in ("delete_untagged", "dry_run")}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise BadRequest(f"parameters.{name} must be true or false")
    workers = parameters.get("workers", 1)
    if type(workers) is not int or not 1 <= workers <= MAX_WORKERS:
        raise BadRequest(f"parameters.workers must be a whole number from 1 to {MAX_WORKERS}")
    return CollectionWish(**flags, parameters={**flags, "workers": workers})
