"""Quotas: what a project may store, each blob counted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.api.domain.project import UNLIMITED, check_storage_limit
from shared.errors import BadRequest

STORAGE: Final = "storage"
WARN_AT_PERCENT: Final = 85
"""From how much of its limit on a project is near it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Quota:
    """A project's quota; it bears the project's number."""

    id: int
    project: str
    owner: str
    limit: int
    """Bytes, or UNLIMITED."""
    used: int
    created_at: datetime
    updated_at: datetime


def parse_limits(hard: Mapping[str, int]) -> int:
    """The storage limit out of `{"storage": bytes}`. Raises BadRequest where it is none, or names another resource."""
    if set(hard) != {STORAGE}:
        raise BadRequest(f"hard must hold {STORAGE} and nothing else")
    return check_storage_limit(hard[STORAGE], name=f"hard.{STORAGE}")


def crosses_warning(limit: int, before: int, after: int) -> bool:
    """Whether storage that grows from one size to another comes near its limit by that."""
    if limit == UNLIMITED:
        return False
    mark = limit * WARN_AT_PERCENT / 100
    return before < mark <= after


def in_words(size: int) -> str:
    """Bytes as people read them: `1.5 GiB`."""
    amount, units = float(size), iter(("B", "KiB", "MiB", "GiB", "TiB"))
    unit = next(units)
    for larger in units:
        if amount < 1024:  # noqa: PLR2004 - what a unit is
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.1f} {unit}" if unit != "B" else f"{size} B"
