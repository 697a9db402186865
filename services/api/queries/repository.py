"""Reading repositories. Counts come from counters that the catalogue keeps, never from counting a whole list."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from services.api.domain.repository import CatalogueTotals, FoundRepository, Repository
from services.api.tables import projects, repositories
from shared.errors import NotFound
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, ordering
from shared.names import RepositoryName

FIELDS: Final[Fields] = {
    "id": Field(repositories.c.id, Kind.INTEGER),
    "repository_id": Field(repositories.c.id, Kind.INTEGER),
    "project_id": Field(repositories.c.project_id, Kind.INTEGER),
    "name": Field(repositories.c.name),
    "description": Field(repositories.c.description, sortable=False),
    "pull_count": Field(repositories.c.pull_count, Kind.INTEGER),
    "artifact_count": Field(repositories.c.artifact_count, Kind.INTEGER),
    "creation_time": Field(repositories.c.created_at, Kind.TIME),
    "update_time": Field(repositories.c.updated_at, Kind.TIME),
}

_NEWEST_FIRST = (repositories.c.created_at.desc(), repositories.c.id.desc())


def list_repositories(session: Session, listing: Listing, *, project_ids: Sequence[int] | None) -> Page[Repository]:
    """The repositories of some projects, or of all where `project_ids` is None."""
    scope = _within(repositories.c.project_id, project_ids)
    filters = conditions(listing.terms, FIELDS)
    wanted = [*scope, *filters]
    if not filters:
        counted = select(func.coalesce(func.sum(projects.c.repository_count), 0))
        total = session.scalar(counted.where(*_within(projects.c.id, project_ids)))
    else:
        total = session.scalar(select(func.count()).select_from(repositories).where(*wanted))
    rows = session.execute(
        select(repositories)
        .where(*wanted)
        .order_by(*ordering(listing.order, FIELDS, _NEWEST_FIRST))
        .limit(listing.limit)
        .offset(listing.offset)
    )
    return Page(records=[_repository(row) for row in rows], total=int(total or 0))


def get_repository(session: Session, name: RepositoryName) -> Repository:
    """One repository by its full name. Raises NotFound."""
    row = session.execute(select(repositories).where(repositories.c.name == name.text)).one_or_none()
    if row is None:
        raise NotFound(f"repository {name} not found")
    return _repository(row)


def repository_names(
    session: Session, *, project_ids: Sequence[int] | None, after: str = "", limit: int
) -> list[str]:
    """The names of repositories with artifacts in them, in the order of their bytes, from behind a name on."""
    by_name = repositories.c.name.collate("C")
    wanted = [repositories.c.artifact_count > 0, by_name > after, *_within(repositories.c.project_id, project_ids)]
    return list(session.scalars(select(repositories.c.name).where(*wanted).order_by(by_name).limit(limit)))


def search_repositories(
    session: Session, text: str, *, project_ids: Sequence[int] | None, limit: int = 100
) -> list[FoundRepository]:
    """Repositories whose full name contains a text, in the order of their names."""
    query: Select[Any] = (
        select(repositories, projects.c.name.label("project_name"), projects.c.public)
        .join(projects, projects.c.id == repositories.c.project_id)
        .where(repositories.c.name.icontains(text, autoescape=True), *_within(repositories.c.project_id, project_ids))
        .order_by(repositories.c.name)
        .limit(limit)
    )
    return [
        FoundRepository(repository=_repository(row), project_name=row.project_name, project_public=row.public)
        for row in session.execute(query)
    ]


def catalogue_totals(session: Session, *, project_ids: Sequence[int] | None) -> CatalogueTotals:
    """Sums over the counters of some projects, or of all."""
    count = func.coalesce(func.sum(projects.c.repository_count).filter(projects.c.public), 0)
    private = func.coalesce(func.sum(projects.c.repository_count).filter(~projects.c.public), 0)
    storage = func.coalesce(func.sum(projects.c.storage_used), 0)
    row = session.execute(
        select(count, private, storage).where(projects.c.deleted_at.is_(None), *_within(projects.c.id, project_ids))
    ).one()
    return CatalogueTotals(
        public_repositories=int(row[0]), private_repositories=int(row[1]), storage_bytes=int(row[2])
    )


def _within(column: ColumnElement[int], project_ids: Sequence[int] | None) -> list[ColumnElement[bool]]:
    return [] if project_ids is None else [column.in_(project_ids)]


def _repository(row: Row[Any]) -> Repository:
    return Repository(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        artifact_count=row.artifact_count,
        pull_count=row.pull_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
