"""Reading labels, and which artifacts bear them."""

from collections.abc import Collection
from functools import reduce
from operator import and_
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Row, Select, any_, bindparam, select
from sqlalchemy.orm import Session

from services.api.domain.label import Label, LabelText
from services.api.errors import NoSuchLabel
from services.api.tables import artifact_labels, artifacts, labels, projects
from shared.errors import BadRequest
from shared.listing import Field, Fields, Kind, Listing, Match, Page, Term, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(labels.c.id, Kind.INTEGER),
    "name": Field(labels.c.name),
    "description": Field(labels.c.description),
    "color": Field(labels.c.color),
    "creation_time": Field(labels.c.created_at, Kind.TIME),
    "update_time": Field(labels.c.updated_at, Kind.TIME),
}

_LARGEST_ID: Final = 2**31 - 1
_LABELS: Final[Select[Any]] = select(*labels.c, projects.c.name.label("project")).outerjoin(
    projects, projects.c.id == labels.c.project_id
)
_OF_ARTIFACTS: Final[Select[Any]] = (
    _LABELS.add_columns(artifact_labels.c.artifact_id)
    .join(artifact_labels, artifact_labels.c.label_id == labels.c.id)
    .where(artifact_labels.c.artifact_id == any_(bindparam("artifact_ids", type_=ARRAY(BigInteger))))
    .order_by(labels.c.name, labels.c.id)
)


def find_label(session: Session, label_id: int) -> Label | None:
    """The label of this number, global or of any project."""
    row = session.execute(_LABELS.where(labels.c.id == label_id)).one_or_none()
    return None if row is None else _read(row)


def get_label(session: Session, label_id: int) -> Label:
    """The same. Raises NoSuchLabel."""
    label = find_label(session, label_id)
    if label is None:
        raise NoSuchLabel
    return label


def list_labels(session: Session, listing: Listing, *, project_id: int | None) -> Page[Label]:
    """The labels of a project, or the global ones, by name unless asked otherwise."""
    scope = labels.c.project_id.is_(None) if project_id is None else labels.c.project_id == project_id
    statement = _LABELS.where(scope, *conditions(listing.terms, FIELDS)).order_by(
        *ordering(listing.order, FIELDS, (labels.c.name.asc(), labels.c.id.asc()))
    )
    return fetch(session, statement, listing, _read)


def labels_of(session: Session, artifact_ids: Collection[int]) -> dict[int, tuple[Label, ...]]:
    """The labels of many artifacts by one statement, by name."""
    found: dict[int, list[Label]] = {}
    if artifact_ids:
        for row in session.execute(_OF_ARTIFACTS, {"artifact_ids": list(artifact_ids)}):
            found.setdefault(row.artifact_id, []).append(_read(row))
    return {artifact_id: tuple(borne) for artifact_id, borne in found.items()}


def bearing(term: Term) -> ColumnElement[bool]:
    """The condition on `artifacts` of a list's `labels`: one label's number, any of some, or all. Raises BadRequest."""
    numbers = sorted({_number(value) for value in term.values})
    match term.match:
        case Match.EXACT | Match.ANY:
            return _bears(artifact_labels.c.label_id.in_(numbers))
        case Match.ALL:
            return reduce(and_, (_bears(artifact_labels.c.label_id == number) for number in numbers))
        case _:
            raise BadRequest("labels can only be filtered by their numbers")


def _bears(wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(artifact_labels.c.label_id).where(artifact_labels.c.artifact_id == artifacts.c.id, wanted).exists()


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID)) and int(text) <= _LARGEST_ID):
        raise BadRequest(f"{text[:40]!r} is not the number of a label")
    return int(text)


def _read(row: Row[Any]) -> Label:
    return Label(
        id=row.id,
        text=LabelText(name=row.name, description=row.description, color=row.color),
        project_id=row.project_id,
        project=row.project,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
