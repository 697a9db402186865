"""Reading repositories. Counts come from counters that the catalogue keeps, never from counting a whole list."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, bindparam, func, or_, select
from sqlalchemy.orm import Session

from services.api.domain.repository import Deletable, FoundRepository, Repository
from services.api.queries.immutability import immutable_tags
from services.api.queries.project import within_allowed
from services.api.tables import artifacts, projects, repositories, tags
from shared.auth.principals import Principal
from shared.errors import NotFound
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering
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
_NAMED: Final = select(repositories).where(repositories.c.name == bindparam("name"))


def list_repositories(session: Session, caller: Principal, listing: Listing) -> Page[Repository]:
    """The repositories of all projects where the caller may list them."""
    return _page(session, listing, within_allowed(session, caller, ("repository", "list")))


def list_project_repositories(session: Session, listing: Listing, *, project_id: int) -> Page[Repository]:
    """The repositories of one project."""
    return _page(session, listing, projects.c.id == project_id)


def get_repository(session: Session, name: RepositoryName) -> Repository:
    """One repository by its full name. Raises NotFound."""
    row = session.execute(_NAMED, {"name": name.text}).one_or_none()
    if row is None:
        raise NotFound(f"repository {name} not found")
    return _repository(row)


def deletable(session: Session, name: RepositoryName) -> Deletable:
    """What the deletion of a repository takes along, and what keeps it. Raises NotFound."""
    held = [
        select(func.count()).where(table.c.repository_id == repositories.c.id).scalar_subquery()
        for table in (artifacts, tags)
    ]
    row = session.execute(select(*held).where(repositories.c.name == name.text)).one_or_none()
    if row is None:
        raise NotFound(f"repository {name} not found")
    return Deletable(artifacts=row[0], tags=row[1], immutable_tags=tuple(sorted(immutable_tags(session, name))))


def repository_names(session: Session, caller: Principal | None, *, after: str = "", limit: int) -> list[str]:
    """The names of repositories with artifacts in them, in the order of their bytes, from behind a name on.

    Those where the caller may list or pull; None is everything.
    """
    by_name = repositories.c.name.collate("C")
    wanted = select(repositories.c.name).where(repositories.c.artifact_count > 0, by_name > after)
    if caller is not None:
        allowed = [within_allowed(session, caller, ("repository", action)) for action in ("list", "pull")]
        wanted = wanted.join(projects, projects.c.id == repositories.c.project_id).where(or_(*allowed))
    return list(session.scalars(wanted.order_by(by_name).limit(limit)))


def search_repositories(
    session: Session, caller: Principal, text: str, *, limit: int = 100
) -> list[FoundRepository]:
    """Repositories that the caller may list and whose full name contains a text, in the order of their names."""
    within = within_allowed(session, caller, ("repository", "list"))
    query: Select[Any] = (
        select(repositories, projects.c.name.label("project_name"), projects.c.public)
        .join(projects, projects.c.id == repositories.c.project_id)
        .where(repositories.c.name.icontains(text, autoescape=True), within)
        .order_by(repositories.c.name)
        .limit(limit)
    )
    return [
        FoundRepository(repository=_repository(row), project_name=row.project_name, project_public=row.public)
        for row in session.execute(query)
    ]


def _page(session: Session, listing: Listing, within: ColumnElement[bool]) -> Page[Repository]:
    """A page out of the projects `within`, whose counters are the total where nothing filters."""
    filters = conditions(listing.terms, FIELDS)
    found = repositories.join(projects, projects.c.id == repositories.c.project_id)
    if filters:
        counted = select(func.count()).select_from(found).where(within, *filters)
    else:
        counted = select(func.coalesce(func.sum(projects.c.repository_count), 0)).where(within)
    statement = (
        select(repositories)
        .select_from(found)
        .where(within, *filters)
        .order_by(*ordering(listing.order, FIELDS, _NEWEST_FIRST))
    )
    return fetch(session, statement, listing, _repository, counted=counted)


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
