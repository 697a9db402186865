"""The list language of Harbor's API: page, page_size, q and sort, parsed to values and compiled to SQL conditions.

A key reaches a column only through a list's own `Field`s. A key that speaks of a credential is refused; any other
unknown key is ignored, as Harbor ignores it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import unquote_plus

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    SQLColumnExpression,
    Text,
    UnaryExpression,
    and_,
    cast,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from shared.errors import BadRequest

MAX_TERMS = 20
MAX_VALUES = 100
MAX_TEXT = 2_000
MAX_ROWS = 10_000

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}")
_CREDENTIAL = re.compile(r"passw|salt|secret|hash|token|credential", re.IGNORECASE)
_INTEGER_LIMIT = 2**63


class Match(StrEnum):
    """How a term compares."""

    EXACT = "exact"  # k=v
    FUZZY = "fuzzy"  # k=~v: contains, whatever the case
    RANGE = "range"  # k=[low~high], either end may be empty
    ANY = "any"  # k={a b c}
    ALL = "all"  # k=(a b c)


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One condition of a `q`; a range has exactly two values, an open end is empty."""

    key: str
    match: Match
    values: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class SortKey:
    """One key of a `sort`."""

    key: str
    descending: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What part of a list is asked for; `page_size` 0 means all of it, which may be MAX_ROWS at most."""

    page: int = 1
    page_size: int = 10
    terms: tuple[Term, ...] = ()
    order: tuple[SortKey, ...] = ()

    @property
    def limit(self) -> int:
        """Rows to read at most. Of a whole list one more than it may have, so that a longer one is noticed."""
        return self.page_size or MAX_ROWS + 1

    @property
    def offset(self) -> int:
        """Rows passed over."""
        return (self.page - 1) * self.page_size

    def term(self, key: str) -> Term | None:
        """The term of one key, however the client spells the key."""
        return next((term for term in self.terms if _plain(term.key) == _plain(key)), None)


Record = TypeVar("Record")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[Record]):
    """Some records of a list, and how many there are in all."""

    records: list[Record]
    total: int


class Kind(StrEnum):
    """What a filtered column holds."""

    TEXT = "text"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Field:
    """A column that a list may be filtered and sorted by."""

    column: SQLColumnExpression[Any]
    kind: Kind = Kind.TEXT
    sortable: bool = True


Special: TypeAlias = Callable[[Term], ColumnElement[bool]]
Fields: TypeAlias = Mapping[str, Field | Special]


def parse_terms(q: str) -> tuple[Term, ...]:
    """Parse a `q` parameter. Raises BadRequest where it is malformed, too long, or asks for a credential."""
    if len(q) > MAX_TEXT:
        raise BadRequest(f"q is longer than {MAX_TEXT} characters")
    text = _unquote(q)
    if "\x00" in text:
        raise BadRequest("q holds a NUL character")
    pieces = [piece.strip() for piece in text.split(",")] if text.strip() else []
    if len(pieces) > MAX_TERMS:
        raise BadRequest(f"q has more than {MAX_TERMS} terms")
    return tuple(_term(piece) for piece in pieces)


def parse_order(sort: str) -> tuple[SortKey, ...]:
    """Parse a `sort` parameter, `k1,-k2`. Raises BadRequest as `parse_terms` does."""
    if len(sort) > MAX_TEXT:
        raise BadRequest(f"sort is longer than {MAX_TEXT} characters")
    pieces = [piece.strip() for piece in sort.split(",") if piece.strip()]
    return tuple(SortKey(key=_key(piece.removeprefix("-")), descending=piece.startswith("-")) for piece in pieces)


def conditions(terms: tuple[Term, ...], fields: Fields) -> list[ColumnElement[bool]]:
    """The terms that name one of the fields, as SQL. Raises BadRequest where a value does not fit its column."""
    offered = {_plain(key): field for key, field in fields.items()}
    found = [(term, offered[_plain(term.key)]) for term in terms if _plain(term.key) in offered]
    return [_compare(term, field) if isinstance(field, Field) else field(term) for term, field in found]


def ordering(
    order: tuple[SortKey, ...], fields: Fields, default: tuple[ColumnElement[Any], ...]
) -> tuple[ColumnElement[Any], ...]:
    """The sort keys that name one of the fields, or the list's own order.

    The last column of that order is unique and breaks the ties of any other, in its direction: so one index serves an
    order both ways. What is not set sorts as the least.
    """
    offered = {_plain(key): field for key, field in fields.items() if isinstance(field, Field) and field.sortable}
    keys = [(offered[_plain(key.key)].column, key.descending) for key in order if _plain(key.key) in offered]
    if not keys:
        return default
    tie = default[-1].element if isinstance(default[-1], UnaryExpression) else default[-1]
    return tuple(_directed(column, descending=descending) for column, descending in [*keys, (tie, keys[-1][1])])


def _directed(column: SQLColumnExpression[Any], *, descending: bool) -> ColumnElement[Any]:
    directed = column.desc() if descending else column.asc()
    if isinstance(column, Column) and column.nullable:
        return directed.nulls_last() if descending else directed.nulls_first()
    return directed


def _unquote(q: str) -> str:
    """Harbor unescapes a q once more than HTTP does; its portal and clients escape it twice."""
    try:
        return unquote_plus(q, errors="strict")
    except UnicodeDecodeError as error:
        raise BadRequest("q is not UTF-8") from error


def _plain(key: str) -> str:
    """Keys match a column's name and Go's name of it alike: policy_id, PolicyID."""
    return key.replace("_", "").lower()


def _key(text: str) -> str:
    if not _KEY.fullmatch(text):
        raise BadRequest(f"{text[:40]!r} is not the name of a field")
    if _CREDENTIAL.search(text):
        raise BadRequest(f"unknown field {text!r}")
    return text


def _term(piece: str) -> Term:
    raw_key, equals, value = piece.partition("=")
    key, value = _key(raw_key.strip()), value.strip()
    if not equals or not value:
        raise BadRequest(f"{piece[:80]!r} is not of the form key=value")
    match value[0], value[-1]:
        case "~", _ if len(value) > 1:
            return Term(key=key, match=Match.FUZZY, values=(value[1:],))
        case "[", "]":
            return Term(key=key, match=Match.RANGE, values=_ends(value[1:-1]))
        case ("{", "}"):
            return Term(key=key, match=Match.ANY, values=_several(value[1:-1]))
        case ("(", ")"):
            return Term(key=key, match=Match.ALL, values=_several(value[1:-1]))
        case ("~", _) | ("[" | "{" | "(", _):
            raise BadRequest(f"{piece[:80]!r} has an unfinished value")
        case _:
            return Term(key=key, match=Match.EXACT, values=(value[1:] if value[0] == "\\" else value,))


def _ends(text: str) -> tuple[str, str]:
    low, tilde, high = text.partition("~")
    if not tilde or "~" in high or not (low.strip() or high.strip()):
        raise BadRequest(f"{text[:80]!r} is not a range of the form low~high")
    return _bare(low.strip()), _bare(high.strip())


_VALUE = re.compile(r'"([^"]*)"|\'([^\']*)\'|(\S+)')


def _several(text: str) -> tuple[str, ...]:
    values = tuple(_bare(found.group()) for found in _VALUE.finditer(text))
    if not values or len(values) > MAX_VALUES:
        raise BadRequest(f"a list in q takes 1 to {MAX_VALUES} values")
    return values


def _bare(text: str) -> str:
    """A value without the quotes that mark it as text."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _compare(term: Term, field: Field) -> ColumnElement[bool]:
    column = field.column
    match term.match:
        case Match.FUZZY:
            return cast(column, Text).icontains(term.values[0], autoescape=True)
        case Match.RANGE:
            low, high = term.values
            bounds = ([column >= _value(low, field)] if low else []) + ([column <= _value(high, field)] if high else [])
            return and_(*bounds)
        case Match.ANY:
            return or_(*(column == _value(value, field) for value in term.values))
        case Match.ALL:
            wanted = {value: column == _value(value, field) for value in term.values}
            return next(iter(wanted.values())) if len(wanted) == 1 else false()
        case Match.EXACT:
            return column == _value(term.values[0], field)


def _value(text: str, field: Field) -> object:
    """A value in the column's own type."""
    match field.kind:
        case Kind.TEXT:
            return text
        case Kind.BOOLEAN if text.lower() in {"true", "false", "1", "0", "t", "f"}:
            return text.lower() in {"true", "1", "t"}
        case Kind.INTEGER if re.fullmatch(r"-?[0-9]{1,19}", text) and abs(int(text)) < _INTEGER_LIMIT:
            return int(text)
        case Kind.TIME:
            return _time(text)
        case _:
            raise BadRequest(f"{text[:80]!r} is not {'an integer' if field.kind is Kind.INTEGER else 'a boolean'}")


def _time(text: str) -> datetime:
    """A time without zone is UTC, as Harbor reads it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadRequest(f"{text[:80]!r} is not a time of the form 2006-01-02T15:04:05") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def fetch(
    session: Session,
    statement: Select[Any],
    listing: Listing,
    read: Callable[[Row[Any]], Record],
    *,
    total: int | None = None,
    counted: Select[Any] | None = None,
) -> Page[Record]:
    """One page of an ordered statement as records, with the number of all its rows unless the caller knows it.

    They are counted only where the page does not tell it, by `counted` or else by the statement itself.
    """
    rows = session.execute(statement.limit(listing.limit).offset(listing.offset)).all()
    if total is None:
        total = told_by_page(listing, len(rows))
    if total is None:
        everything = statement.order_by(None).subquery()
        total = int(session.scalar(select(func.count()).select_from(everything) if counted is None else counted) or 0)
    return Page(records=[read(row) for row in rows], total=total)


def told_by_page(listing: Listing, number: int) -> int | None:
    """The number of all rows, where a page with `number` of them tells it: one that is not full is the last."""
    is_last = 0 < number < listing.limit or listing.offset == number == 0
    return listing.offset + number if is_last else None
