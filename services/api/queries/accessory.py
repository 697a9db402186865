"""Reading accessories: of one artifact as a list, of many by one statement."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Row, Select, any_, bindparam, case, select
from sqlalchemy.orm import Session

from services.api.domain.accessory import OTHER, TYPES, Accessory
from services.api.tables import artifacts, repositories
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

_subjects = artifacts.alias("subjects")

_declared = case((artifacts.c.artifact_type != "", artifacts.c.artifact_type), else_=artifacts.c.media_type)
_TYPE: Final = case(TYPES, value=_declared, else_=OTHER)

FIELDS: Final[Fields] = {
    "id": Field(artifacts.c.id, Kind.INTEGER),
    "artifact_id": Field(artifacts.c.id, Kind.INTEGER),
    "subject_artifact_id": Field(_subjects.c.id, Kind.INTEGER),
    "subject_artifact_digest": Field(_subjects.c.digest),
    "subject_artifact_repo": Field(repositories.c.name),
    "size": Field(artifacts.c.size, Kind.INTEGER),
    "digest": Field(artifacts.c.digest),
    "type": Field(_TYPE),
    "creation_time": Field(artifacts.c.pushed_at, Kind.TIME),
}

_NEWEST_FIRST = (artifacts.c.pushed_at.desc(), artifacts.c.id.desc())
_ACCESSORIES: Final[Select[Any]] = (
    select(
        artifacts.c.id.label("artifact_id"),
        _subjects.c.id.label("subject_id"),
        _subjects.c.digest.label("subject_digest"),
        repositories.c.name.label("repository_name"),
        artifacts.c.digest,
        _TYPE.label("type"),
        artifacts.c.size,
        artifacts.c.pushed_at,
    )
    .join(
        _subjects,
        (artifacts.c.repository_id == _subjects.c.repository_id) & (artifacts.c.subject == _subjects.c.digest),
    )
    .join(repositories, repositories.c.id == _subjects.c.repository_id)
)
_OF_ARTIFACTS: Final[Select[Any]] = _ACCESSORIES.where(
    _subjects.c.id == any_(bindparam("artifact_ids", type_=ARRAY(BigInteger)))
).order_by(*_NEWEST_FIRST)


def list_accessories(session: Session, listing: Listing, *, artifact_id: int) -> Page[Accessory]:
    """The accessories of one artifact, the newest first unless asked otherwise."""
    statement = _ACCESSORIES.where(_subjects.c.id == artifact_id, *conditions(listing.terms, FIELDS)).order_by(
        *ordering(listing.order, FIELDS, _NEWEST_FIRST)
    )
    return fetch(session, statement, listing, _read)


def accessories_of(session: Session, artifact_ids: Collection[int]) -> dict[int, tuple[Accessory, ...]]:
    """The accessories of many artifacts by one statement, the newest first."""
    found: dict[int, list[Accessory]] = {}
    if artifact_ids:
        for row in session.execute(_OF_ARTIFACTS, {"artifact_ids": list(artifact_ids)}):
            found.setdefault(row.subject_id, []).append(_read(row))
    return {subject_id: tuple(accessories) for subject_id, accessories in found.items()}


def _read(row: Row[Any]) -> Accessory:
    return Accessory(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
