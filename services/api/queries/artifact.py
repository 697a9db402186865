"""Reading artifacts with what hangs on them: one statement for each kind whatever the page, counters for the total."""

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Row, any_, bindparam, func, lateral, select, true
from sqlalchemy.orm import Session

from services.api.domain.artifact import Artifact, Child
from services.api.queries.accessory import accessories_of
from services.api.queries.label import bearing, labels_of
from services.api.queries.tag import tags_of
from services.api.tables import artifact_references, artifacts, projects, repositories, tags
from shared.errors import BadRequest, NotFound
from shared.listing import Field, Fields, Kind, Listing, Match, Page, Term, conditions, ordering, told_by_page
from shared.names import Digest, RepositoryName, TagName


def _having_tag(*wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        select(tags.c.id)
        .where(tags.c.artifact_id == artifacts.c.id, tags.c.repository_id == artifacts.c.repository_id, *wanted)
        .exists()
    )


def _tagged(term: Term) -> ColumnElement[bool]:
    """Harbor's `tags`: `*` any, `nil` none, a name, part of a name, or several."""
    match term.match, term.values:
        case Match.EXACT, ("*",):
            return _having_tag()
        case Match.EXACT, ("nil",):
            return ~_having_tag()
        case Match.FUZZY, (part,):
            return _having_tag(tags.c.name.icontains(part, autoescape=True))
        case Match.EXACT | Match.ANY, names:
            return _having_tag(tags.c.name.in_(names))
        case Match.ALL, names:
            return true() if not names else _every_tag(names)
        case _:
            raise BadRequest("tags cannot be filtered by a range")


def _every_tag(names: tuple[str, ...]) -> ColumnElement[bool]:
    first, *others = (_having_tag(tags.c.name == name) for name in names)
    for other in others:
        first &= other
    return first


def _always(_: Term) -> ColumnElement[bool]:
    """`base` chooses the set that is listed, not a row of it."""
    return true()


FIELDS: Final[Fields] = {
    "id": Field(artifacts.c.id, Kind.INTEGER),
    "digest": Field(artifacts.c.digest),
    "type": Field(artifacts.c.type),
    "media_type": Field(artifacts.c.media_type),
    "manifest_media_type": Field(artifacts.c.manifest_media_type),
    "artifact_type": Field(artifacts.c.artifact_type),
    "size": Field(artifacts.c.size, Kind.INTEGER),
    "push_time": Field(artifacts.c.pushed_at, Kind.TIME),
    "pull_time": Field(artifacts.c.pulled_at, Kind.TIME),
    "tags": _tagged,
    "base": _always,
    "labels": bearing,
}

_NEWEST_FIRST = (artifacts.c.pushed_at.desc(), artifacts.c.id.desc())
_ARTIFACTS: Final = select(artifacts, repositories.c.name.label("repository_name")).join(
    repositories, repositories.c.id == artifacts.c.repository_id
)
_COUNTER: Final = select(repositories.c.id, repositories.c.artifact_count).where(
    repositories.c.name == bindparam("name")
)
_CHILDREN: Final = (
    select(artifact_references)
    .where(artifact_references.c.parent_id == any_(bindparam("artifact_ids", type_=ARRAY(BigInteger))))
    .order_by(artifact_references.c.parent_id, artifact_references.c.position)
)


def list_artifacts(
    session: Session,
    listing: Listing,
    *,
    repository: RepositoryName,
    with_tags: bool = True,
    with_labels: bool = False,
    with_accessories: bool = False,
) -> Page[Artifact]:
    """The artifacts of a repository: those tagged or child of no index, all with `base=*`. Raises NotFound."""
    counted = session.execute(_COUNTER, {"name": repository.text}).one_or_none()
    if counted is None:
        raise NotFound(f"repository {repository} not found")
    within = artifacts.c.repository_id == counted.id
    total = int(counted.artifact_count)
    return _page(
        session,
        listing,
        within,
        total=total,
        with_tags=with_tags,
        with_labels=with_labels,
        with_accessories=with_accessories,
    )


def list_project_artifacts(
    session: Session,
    listing: Listing,
    *,
    project_id: int,
    with_tags: bool = True,
    with_labels: bool = False,
    with_accessories: bool = False,
    latest_only: bool = False,
) -> Page[Artifact]:
    """The artifacts of a project's repositories, or the newest of each repository only."""
    within = artifacts.c.project_id == project_id
    if latest_only:
        within, total = within & _latest(project_id), None
    else:
        total = session.scalar(select(projects.c.artifact_count).where(projects.c.id == project_id)) or 0
    return _page(
        session,
        listing,
        within,
        total=total,
        with_tags=with_tags,
        with_labels=with_labels,
        with_accessories=with_accessories,
    )


def get_artifact(
    session: Session,
    repository: RepositoryName,
    reference: TagName | Digest,
    *,
    with_tags: bool = True,
    with_labels: bool = False,
    with_accessories: bool = False,
) -> Artifact:
    """One artifact by tag or digest. Raises NotFound."""
    query = _ARTIFACTS.where(repositories.c.name == repository.text)
    if isinstance(reference, Digest):
        query = query.where(artifacts.c.digest == reference.text)
    else:
        named = tags.c.repository_id == repositories.c.id
        query = query.join(tags, (tags.c.artifact_id == artifacts.c.id) & named).where(tags.c.name == reference.text)
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"artifact {repository}{'@' if isinstance(reference, Digest) else ':'}{reference} not found")
    return _complete(
        session, [row], with_tags=with_tags, with_labels=with_labels, with_accessories=with_accessories
    )[0]


def _page(
    session: Session,
    listing: Listing,
    within: ColumnElement[bool],
    *,
    total: int | None,
    with_tags: bool,
    with_labels: bool,
    with_accessories: bool,
) -> Page[Artifact]:
    """A page of the rows `within`; `total` is the counter that holds where nothing filters."""
    base = listing.term("base")
    everything = base is not None and base.values == ("*",)
    filters = conditions(listing.terms, FIELDS)
    wanted = [within, *([] if everything else [artifacts.c.listed]), *filters]
    rows = session.execute(
        _ARTIFACTS.where(*wanted)
        .order_by(*ordering(listing.order, FIELDS, _NEWEST_FIRST))
        .limit(listing.limit)
        .offset(listing.offset)
    ).all()
    if filters or total is None:
        total = told_by_page(listing, len(rows))
    if total is None:
        total = session.scalar(select(func.count()).select_from(artifacts).where(*wanted))
    records = _complete(
        session, rows, with_tags=with_tags, with_labels=with_labels, with_accessories=with_accessories
    )
    return Page(records=records, total=int(total or 0))


def _latest(project_id: int) -> ColumnElement[bool]:
    newest = lateral(
        select(artifacts.c.id)
        .where(artifacts.c.repository_id == repositories.c.id, artifacts.c.listed)
        .order_by(*_NEWEST_FIRST)
        .limit(1)
        .correlate(repositories)
    )
    of_each = select(newest.c.id).select_from(repositories).join(newest, true())
    return artifacts.c.id.in_(of_each.where(repositories.c.project_id == project_id))


def _complete(
    session: Session, rows: Collection[Row[Any]], *, with_tags: bool, with_labels: bool, with_accessories: bool
) -> list[Artifact]:
    """Records out of rows, with what hangs on them."""
    ids = [row.id for row in rows]
    named = tags_of(session, ids) if with_tags else {}
    borne = labels_of(session, ids) if with_labels else None
    accessories = accessories_of(session, ids) if with_accessories else None
    children = _children_of(session, ids)
    return [
        Artifact(
            id=row.id,
            project_id=row.project_id,
            repository_id=row.repository_id,
            repository_name=row.repository_name,
            digest=row.digest,
            type=row.type,
            media_type=row.media_type,
            manifest_media_type=row.manifest_media_type,
            artifact_type=row.artifact_type,
            size=row.size,
            annotations=row.annotations,
            extra_attrs=row.extra_attrs,
            pushed_at=row.pushed_at,
            pulled_at=row.pulled_at,
            pull_count=row.pull_count,
            tags=named.get(row.id, ()),
            references=children.get(row.id, ()),
            labels=None if borne is None else borne.get(row.id, ()),
            accessories=None if accessories is None else accessories.get(row.id, ()),
        )
        for row in rows
    ]


def _children_of(session: Session, artifact_ids: Collection[int]) -> dict[int, tuple[Child, ...]]:
    found: dict[int, list[Child]] = {}
    if artifact_ids:
        for row in session.execute(_CHILDREN, {"artifact_ids": list(artifact_ids)}):
            found.setdefault(row.parent_id, []).append(
                Child(
                    parent_id=row.parent_id,
                    child_id=row.child_id,
                    child_digest=row.child_digest,
                    platform=row.platform,
                    annotations=row.annotations,
                )
            )
    return {parent_id: tuple(children) for parent_id, children in found.items()}
