"""Reading tags."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Row, any_, bindparam, select
from sqlalchemy.orm import Session

from services.api.domain.artifact import Tag
from services.api.tables import tags
from shared.errors import NotFound
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering
from shared.names import TagName

FIELDS: Final[Fields] = {
    "id": Field(tags.c.id, Kind.INTEGER),
    "name": Field(tags.c.name),
    "push_time": Field(tags.c.pushed_at, Kind.TIME),
    "pull_time": Field(tags.c.pulled_at, Kind.TIME),
}

_NEWEST_FIRST = (tags.c.pushed_at.desc(), tags.c.id.desc())
_OF_ARTIFACTS: Final = (
    select(tags)
    .where(tags.c.artifact_id == any_(bindparam("artifact_ids", type_=ARRAY(BigInteger))))
    .order_by(*_NEWEST_FIRST)
)


def list_tags(session: Session, listing: Listing, *, artifact_id: int) -> Page[Tag]:
    """The tags of one artifact."""
    wanted = [tags.c.artifact_id == artifact_id, *conditions(listing.terms, FIELDS)]
    statement = select(tags).where(*wanted).order_by(*ordering(listing.order, FIELDS, _NEWEST_FIRST))
    return fetch(session, statement, listing, _tag)


def get_tag(session: Session, *, repository_id: int, name: TagName) -> Tag:
    """One tag of a repository. Raises NotFound."""
    named = (tags.c.repository_id == repository_id, tags.c.name == name.text)
    row = session.execute(select(tags).where(*named)).one_or_none()
    if row is None:
        raise NotFound(f"tag {name} not found")
    return _tag(row)


def tags_of(session: Session, artifact_ids: Collection[int]) -> dict[int, tuple[Tag, ...]]:
    """The tags of many artifacts by one statement, newest first."""
    found: dict[int, list[Tag]] = {}
    if artifact_ids:
        for row in session.execute(_OF_ARTIFACTS, {"artifact_ids": list(artifact_ids)}):
            found.setdefault(row.artifact_id, []).append(_tag(row))
    return {artifact_id: tuple(named) for artifact_id, named in found.items()}


def _tag(row: Row[Any]) -> Tag:
    return Tag(
        id=row.id,
        repository_id=row.repository_id,
        artifact_id=row.artifact_id,
        name=row.name,
        pushed_at=row.pushed_at,
        pulled_at=row.pulled_at,
    )
