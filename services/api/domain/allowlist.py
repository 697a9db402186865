"""Allowlists, the system's and the projects': vulnerabilities that are known and tolerated. Nothing here scans."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.errors import BadRequest

_MAX_NAME: Final = 64
_MAX_ITEMS: Final = 10_000
_LAST_SECOND: Final = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerated:
    """What a list shall hold, as it was asked for."""

    cves: tuple[str, ...] = ()
    expires_at: int | None = None
    """Seconds since 1970; None: never."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowlist:
    """What is tolerated, and until when."""

    cves: tuple[str, ...]
    expires_at: int | None
    """Seconds since 1970; None: never."""
    created_at: datetime
    updated_at: datetime

    @property
    def tolerated(self) -> Tolerated:
        """What it holds, without its times."""
        return Tolerated(cves=self.cves, expires_at=self.expires_at)


def check_tolerated(wanted: Tolerated) -> Tolerated:
    """The same, its names without the space around them. Raises BadRequest as the checks of its parts do."""
    return Tolerated(cves=check_cves(wanted.cves), expires_at=check_expiry(wanted.expires_at))


def check_cves(names: Iterable[str]) -> tuple[str, ...]:
    """The names without the space around them. Raises BadRequest for one that is none, or that comes twice."""
    checked: dict[str, None] = {}
    for name in (each.strip() for each in names):
        if not name or len(name) > _MAX_NAME or not name.isprintable():
            raise BadRequest(f"a CVE's name must have from 1 to {_MAX_NAME} printable characters")
        if name in checked:
            raise BadRequest(f"{name} is in the list twice")
        checked[name] = None
    if len(checked) > _MAX_ITEMS:
        raise BadRequest(f"the list must have at most {_MAX_ITEMS} items")
    return tuple(checked)


def check_expiry(seconds: int | None) -> int | None:
    """The time itself. Raises BadRequest where it is none."""
    if seconds is not None and not 0 <= seconds <= _LAST_SECOND:
        raise BadRequest("expires_at must be a time in seconds since 1970")
    return seconds
