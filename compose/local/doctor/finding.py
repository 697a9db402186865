"""What the doctor finds: what is wrong, and what to do next."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    BROKEN = "broken"
    """Something does not work."""
    WARNING = "warning"
    """It works, and somebody should look at it."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A fault. No secret stands in it."""

    severity: Severity
    what: str
    """What is wrong, in one line."""
    remedy: str
    """What to do next, in one line."""
    lines: tuple[str, ...] = ()
    """The last words of the part that it is about."""


def broken(what: str, remedy: str, *, lines: tuple[str, ...] = ()) -> Finding:
    """Something that does not work."""
    return Finding(severity=Severity.BROKEN, what=what, remedy=remedy, lines=lines)


def warning(what: str, remedy: str) -> Finding:
    """Something that should be looked at."""
    return Finding(severity=Severity.WARNING, what=what, remedy=remedy)
