"""Lists of records, newest first, filtered in the API's list language; as fast at a million rows as at a thousand.

How: every filter and order has an index that ends in (occurred_at, sequence); a page behind a cursor starts in that
index; a caller's projects are asked one by one and merged; and totals come from tallies kept while recording. A total
that no tally holds is counted up to COUNTED_AT_MOST and estimated by the planner beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Select,
    Text,
    and_,
    any_,
    column,
    exists,
    func,
    literal,
    select,
    true,
    tuple_,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import DateTime

from services.audit.tables import records, tallies
from shared.errors import BadRequest
from shared.listing import MAX_VALUES as MOST_VALUES
from shared.listing import Field, Fields, Kind, Match, SortKey, Term, conditions

COUNTED_AT_MOST: Final = 1_000

_TALLIED: Final = {"username": "actor", "operation": "operation", "resourcetype": "resource_type"}
_SORTED: Final = {"optime": None, "username": records.c.actor, "operation": records.c.operation,
                  "resourcetype": records.c.resource_type}  # fmt: skip

FIELDS: Final[Fields] = {
    "username": Field(records.c.actor),
    "operation": Field(records.c.operation),
    "resource_type": Field(records.c.resource_type),
    "resource": Field(records.c.resource, sortable=False),
    "op_time": Field(records.c.occurred_at, Kind.TIME),
    "operation_result": Field(records.c.succeeded, Kind.BOOLEAN, sortable=False),
}
"""What a list of records may be filtered by. The keys are those of Harbor's audit API."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectScope:
    """A project whose records may be seen, from a time on: an earlier project of the same name is another one."""

    name: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which records are asked for."""

    projects: tuple[ProjectScope, ...] | None = None
    """The projects that the caller may see the log of; None is everything, the system's own records too."""
    terms: tuple[Term, ...] = ()
    """The terms of a `q`; keys that are not in FIELDS are passed over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the list: the record after which a page begins."""

    occurred_at: datetime
    sequence: int

    @classmethod
    def parse(cls, encoded: str) -> Self:
        """Read what str() wrote. Raises BadRequest."""
        moment, _, sequence = encoded.rpartition("_")
        try:
            occurred_at = datetime.fromisoformat(moment)
            cursor = cls(occurred_at=occurred_at, sequence=int(sequence))
        except ValueError as error:
            raise BadRequest("the cursor is not one that this list gave") from error
        if occurred_at.tzinfo is None or not 0 <= cursor.sequence < 2**63:
            raise BadRequest("the cursor is not one that this list gave")
        return cursor

    def __str__(self) -> str:
        return f"{self.occurred_at.isoformat().replace('+00:00', 'Z')}_{self.sequence}"


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRecord:
    """A record as lists show it."""

    sequence: int
    occurred_at: datetime
    actor: str
    actor_kind: str
    operation: str
    resource_type: str
    resource: str
    project: str | None
    repository: str | None
    digest: str | None
    tag: str | None
    address: str
    client: str
    request_id: str
    succeeded: bool
    occurrences: int
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """A page of records; `next` continues behind it, where there may be more and the order is by time."""

    records: list[AuditRecord]
    total: int
    exact: bool
    """Whether the total was counted; otherwise it is an estimate above COUNTED_AT_MOST."""
    next: Cursor | None


_COLUMNS: Final = tuple(records.c[name] for name in AuditRecord.__dataclass_fields__)


def list_records(
    session: Session,
    *,
    filter: AuditFilter,  # noqa: A002 - the word for it
    limit: int,
    sort: Sequence[SortKey] = (),
    offset: int = 0,
    before: Cursor | None = None,
) -> AuditPage:
    """A page of the records that fit, newest first unless sorted otherwise, with the number of all that fit.

    `before` starts behind a cursor in place of the offset, at the same cost on any page; it holds for the order by time
    alone. Sort keys are op_time, username, operation and resource_type; the first that is known decides. Raises
    BadRequest where a value does not fit its field.
    """
    terms = tuple(_spelled_out(session, term) for term in filter.terms)
    wanted = conditions(terms, FIELDS)
    order = _order(sort)
    if before and order.by_time:
        page = _page(filter.projects, [*wanted, order.behind(before)], order, limit, 0)
    else:
        page = _page(filter.projects, wanted, order, limit, offset)
    found = [AuditRecord(**row) for row in session.execute(page).mappings()]
    total, exact = _total(session, filter.projects, terms, wanted)
    if not exact and not before and len(found) < limit and (found or not offset):
        total, exact = offset + len(found), True  # the end of the list was seen
    last = found[-1] if order.by_time and len(found) == limit else None
    following = Cursor(occurred_at=last.occurred_at, sequence=last.sequence) if last else None
    return AuditPage(records=found, total=max(total, offset + len(found)), exact=exact, next=following)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """An order that an index has: a column, if any, then time and sequence in the direction of the index."""

    first: str | None
    descending: bool

    @property
    def by_time(self) -> bool:
        return self.first is None

    def columns(self, source: FromClause) -> tuple[ColumnElement[Any], ...]:
        time = (source.c.occurred_at, source.c.sequence)
        if self.first is None:
            return tuple(each.desc() if self.descending else each.asc() for each in time)
        name = source.c[self.first]
        if self.descending:
            return (name.desc(), *(each.asc() for each in time))
        return (name.asc(), *(each.desc() for each in time))

    def behind(self, cursor: Cursor) -> ColumnElement[bool]:
        here = tuple_(records.c.occurred_at, records.c.sequence)
        there = tuple_(literal(cursor.occurred_at, DateTime(timezone=True)), literal(cursor.sequence))
        return here < there if self.descending else here > there


def _order(sort: Sequence[SortKey]) -> _Order:
    for key in sort:
        if _plain(key.key) in _SORTED:
            first = _SORTED[_plain(key.key)]
            return _Order(first=None if first is None else first.name, descending=key.descending)
    return _Order(first=None, descending=True)


def _page(
    projects: tuple[ProjectScope, ...] | None,
    wanted: list[ColumnElement[bool]],
    order: _Order,
    limit: int,
    offset: int,
) -> Select[Any]:
    page = select(*_COLUMNS).where(*wanted)
    if projects is None:
        return page.order_by(*order.columns(records)).limit(limit).offset(offset)
    if len(projects) == 1:
        page = page.where(records.c.project == projects[0].name, records.c.occurred_at >= projects[0].since)
        return page.order_by(*order.columns(records)).limit(limit).offset(offset)
    scope = _scope(projects)
    each = (
        page.where(_within(scope))
        .order_by(*order.columns(records))
        .limit(limit + offset)
        .correlate(scope)
        .lateral("each_project")
    )
    return (
        select(*(each.c[name.name] for name in _COLUMNS))
        .select_from(scope.join(each, true()))
        .order_by(*order.columns(each))
        .limit(limit)
        .offset(offset)
    )


def _scope(projects: tuple[ProjectScope, ...]) -> FromClause:
    """The projects as rows. Arrays, because a statement of any number of projects then is one statement."""
    names = literal([project.name for project in projects], ARRAY(Text))
    since = literal([project.since for project in projects], ARRAY(DateTime(timezone=True)))
    return (
        func.unnest(names, since)
        .table_valued(column("name", Text), column("since", DateTime(timezone=True)))
        .render_derived("scope")
    )


def _within(scope: FromClause) -> ColumnElement[bool]:
    return and_(records.c.project == scope.c.name, records.c.occurred_at >= scope.c.since)


def _spelled_out(session: Session, term: Term) -> Term:
    """A fuzzy term of a tallied field as the list of the values that contain it, where those are not too many."""
    dimension = _TALLIED.get(_plain(term.key))
    if dimension is None or term.match is not Match.FUZZY:
        return term
    found = session.scalars(
        select(tallies.c.value)
        .where(tallies.c.project == "", tallies.c.dimension == dimension)
        .where(tallies.c.value.icontains(term.values[0], autoescape=True))
        .limit(MOST_VALUES + 1)
    ).all()
    if len(found) > MOST_VALUES:
        return term
    return Term(key=term.key, match=Match.ANY, values=tuple(found) or term.values)


def _plain(key: str) -> str:
    return key.replace("_", "").lower()


def _total(
    session: Session,
    projects: tuple[ProjectScope, ...] | None,
    terms: tuple[Term, ...],
    where: list[ColumnElement[bool]],
) -> tuple[int, bool]:
    """How many records fit, and whether that is exact."""
    if projects is not None and not projects:
        return 0, True
    tallied = _tallied(terms, where)
    if tallied is not None and not _had_namesakes(session, projects):
        names = literal([""] if projects is None else [project.name for project in projects], ARRAY(Text))
        number = session.scalar(
            select(func.coalesce(func.sum(tallies.c.records), 0)).where(tallies.c.project == any_(names), tallied)
        )
        return int(number or 0), True
    return _counted(session, projects, where)


def _tallied(terms: tuple[Term, ...], where: list[ColumnElement[bool]]) -> ColumnElement[bool] | None:
    """The tallies that answer the filter: one value, or several of one field, and nothing else."""
    if not where:
        return and_(tallies.c.dimension == "", tallies.c.value == "")
    known = [term for term in terms if _plain(term.key) in _TALLIED]
    if len(where) > 1 or len(known) != 1 or known[0].match not in {Match.EXACT, Match.ANY}:
        return None
    dimension = _TALLIED[_plain(known[0].key)]
    return and_(tallies.c.dimension == dimension, tallies.c.value.in_(set(known[0].values)))


def _had_namesakes(session: Session, projects: tuple[ProjectScope, ...] | None) -> bool:
    """Whether an earlier project bore one of the names: the tallies hold its records too."""
    if projects is None:
        return False
    scope = _scope(projects)
    earlier = exists().where(records.c.project == scope.c.name, records.c.occurred_at < scope.c.since)
    return bool(session.scalar(select(exists(select(literal(1)).select_from(scope).where(earlier.correlate(scope))))))


def _counted(
    session: Session, projects: tuple[ProjectScope, ...] | None, where: list[ColumnElement[bool]]
) -> tuple[int, bool]:
    matching = select(literal(1)).select_from(records).where(*where)
    if projects is not None:
        scope = _scope(projects)
        matching = select(literal(1)).select_from(scope.join(records, _within(scope))).where(*where)
    few = matching.limit(COUNTED_AT_MOST + 1).subquery()
    number = session.scalar(select(func.count()).select_from(few)) or 0
    if number <= COUNTED_AT_MOST:
        return number, True
    return max(number, _estimated(session, matching)), False


def _estimated(session: Session, matching: Select[Any]) -> int:
    """The planner's guess at the number of rows; nothing is read."""
    compiled = matching.compile(session.connection())
    plan = session.connection().exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", dict(compiled.params)).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])
