"""Cron expressions of six fields, the first of them seconds, in UTC: the grammar of Harbor's schedules.

`*`, `?`, lists, ranges, steps and English names; no `L`, `W` or `#`, and Sunday is 0 alone, as there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.errors import BadRequest

MAX_LENGTH: Final = 255
_HORIZON: Final = timedelta(days=366 * 8 + 1)
"""A 29th of February may be eight years away, around a century that is no leap year."""

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


@dataclass(frozen=True, slots=True)
class _Field:
    what: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 6, _DAYS),
)
_SECOND, _DAY, _WEEKDAY = 0, 3, 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """When something is due."""

    text: str
    fields: tuple[frozenset[int], ...]
    either_day: bool
    """Both days are restricted, so that either is enough."""

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Read an expression. Raises BadRequest where it is none, or names no moment that comes."""
        parts = text.split()
        if len(text) > MAX_LENGTH or len(parts) != len(_FIELDS):
            raise BadRequest(f"a cron expression has {len(_FIELDS)} fields: second minute hour day month weekday")
        cron = cls(
            text=" ".join(parts),
            fields=tuple(_values(part, field) for part, field in zip(parts, _FIELDS, strict=True)),
            either_day=not any(_is_open(parts[number]) for number in (_DAY, _WEEKDAY)),
        )
        if cron._next(datetime(2000, 3, 1, tzinfo=UTC)) is None:
            raise BadRequest(f"the cron expression {cron.text!r} names no day that exists")
        return cron

    @classmethod
    def parse_schedule(cls, text: str) -> "Cron":
        """Read one of something that takes its time. Raises BadRequest for one that comes more than once a minute."""
        cron = cls.parse(text)
        if len(cron.fields[_SECOND]) > 1:
            raise BadRequest("a schedule comes once a minute at most: the second of its cron expression is one number")
        return cron

    def next_after(self, moment: datetime) -> datetime:
        """The first moment that is due after another, in UTC."""
        found = self._next(moment)
        if found is None:
            raise BadRequest(f"the cron expression {self.text!r} names no day that exists")
        return found

    def _next(self, moment: datetime) -> datetime | None:
        seconds, minutes, hours, _, months, _ = self.fields
        at = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        last = at + _HORIZON
        while at < last:
            if at.month not in months:
                at = (at.replace(day=1, hour=0, minute=0, second=0) + timedelta(days=32)).replace(day=1)
            elif not self._is_day(at):
                at = at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif at.hour not in hours:
                at = at.replace(minute=0, second=0) + timedelta(hours=1)
            elif at.minute not in minutes:
                at = at.replace(second=0) + timedelta(minutes=1)
            elif at.second not in seconds:
                at += timedelta(seconds=1)
            else:
                return at
        return None

    def _is_day(self, at: datetime) -> bool:
        fits = (at.day in self.fields[_DAY], at.isoweekday() % 7 in self.fields[_WEEKDAY])
        return any(fits) if self.either_day else all(fits)


def _is_open(text: str) -> bool:
    """Whether a field restricts nothing; `*/2` does, other than in the crons of Unix."""
    return any(part in {"*", "?", "*/1", "?/1"} for part in text.split(","))


def _values(text: str, field: _Field) -> frozenset[int]:
    return frozenset().union(*(_part(part, field) for part in text.split(",")))


def _part(text: str, field: _Field) -> range:
    span, slash, step_text = text.partition("/")
    step = _number(step_text, field) if slash else 1
    if span in {"*", "?"}:
        low, high = field.low, field.high
    else:
        first, dash, last = span.partition("-")
        low = _named(first, field)
        high = _named(last, field) if dash else (field.high if slash else low)
    if not (field.low <= low <= high <= field.high and step > 0):
        raise BadRequest(f"the {field.what} of a cron expression cannot be {text[:40]!r}")
    return range(low, high + 1, step)


def _named(text: str, field: _Field) -> int:
    if text.lower() in field.names:
        return field.low + field.names.index(text.lower())
    return _number(text, field)


def _number(text: str, field: _Field) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 3):  # noqa: PLR2004 - no field has more digits
        raise BadRequest(f"the {field.what} of a cron expression cannot be {text[:40]!r}")
    return int(text)
