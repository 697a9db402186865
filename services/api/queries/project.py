"""Reading projects: one by name or number, those somebody may see, and what they hold."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    false,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Session

from services.api.domain.project import HeldRole, Project, ProjectSummary
from services.api.errors import NoSuchProject
from services.api.tables import members, memberships, projects, users
from shared.auth.principals import Principal, PrincipalKind
from shared.auth.roles import PUBLIC, Permission, Role, permissions, strongest_first
from shared.listing import Field, Fields, Kind, Listing, Page, Term, conditions, fetch, ordering

FEW: Final = 500
"""Projects up to which a list of what is in them asks for each."""

FIELDS: Final[Fields] = {
    "name": Field(projects.c.name),
    "project_id": Field(projects.c.id, Kind.INTEGER),
    "id": Field(projects.c.id, Kind.INTEGER),
    "public": Field(projects.c.public, Kind.BOOLEAN),
    "owner": Field(users.c.username),
    "owner_name": Field(users.c.username),
    "owner_id": Field(projects.c.owner_id, Kind.INTEGER),
    "repo_count": Field(projects.c.repository_count, Kind.INTEGER),
    "creation_time": Field(projects.c.created_at, Kind.TIME),
    "update_time": Field(projects.c.updated_at, Kind.TIME),
}

_OF_ROLES: Final[Fields] = {name: FIELDS[name] for name in ("name", "project_id")}

_LIST: Final[Permission] = ("project", "list")
"""Of the system: to know of every project, without a right in any."""

_ELSEWHERE: Final = {"deleted_at", "storage_limit", "storage_used"}
"""What is not read with a project; its quota is asked for by itself."""

_PROJECTS: Final[Select[Any]] = (
    select(*(column for column in projects.c if column.name not in _ELSEWHERE), users.c.username.label("owner_name"))
    .join(users, users.c.id == projects.c.owner_id)
    .where(projects.c.deleted_at.is_(None))
)
_NUMBERED: Final[Select[Any]] = _PROJECTS.where(projects.c.id == bindparam("project_id"))


def get_project(session: Session, project_id: int) -> Project:
    """The project. Raises NoSuchProject where it is not there, or deleted."""
    row = session.execute(_NUMBERED, {"project_id": project_id}).one_or_none()
    if row is None:
        raise NoSuchProject
    return _read(row)


def name_of(session: Session, project_id: int) -> str | None:
    """The name of a project that is not deleted."""
    return session.scalar(select(projects.c.name).where(projects.c.id == project_id, projects.c.deleted_at.is_(None)))


def exists(session: Session, name: str) -> bool:
    """Whether a project that is not deleted has this name."""
    found = select(projects.c.id).where(projects.c.name == name, projects.c.deleted_at.is_(None))
    return session.scalar(found) is not None


def list_projects(session: Session, caller: Principal, listing: Listing) -> Page[Project]:
    """The projects that the caller may see, by name unless asked otherwise."""
    statement = _PROJECTS.where(visible_to(caller), *conditions(listing.terms, FIELDS)).order_by(
        *ordering(listing.order, FIELDS, (projects.c.name.asc(),))
    )
    return fetch(session, statement, listing, _read)


def visible_to(caller: Principal) -> ColumnElement[bool]:
    """The condition on `projects` that holds for those the caller may know of."""
    if caller.is_admin:
        return true()
    match caller.kind:
        case PrincipalKind.USER:
            return or_(projects.c.public, _member(caller))
        case PrincipalKind.ROBOT:
            if any(grant.namespace == "/" and _LIST in grant.permissions for grant in caller.robot_grants):
                return true()
            namespaces = {grant.namespace for grant in caller.robot_grants} - {"/"}
            return true() if "*" in namespaces else or_(projects.c.public, projects.c.name.in_(sorted(namespaces)))
        case PrincipalKind.ANONYMOUS:
            return projects.c.public.is_(true())
        case PrincipalKind.SYSTEM:
            return false()


def allowing(caller: Principal, permission: Permission) -> ColumnElement[bool]:
    """The condition on `projects` for those where the caller has a permission, by a role, a grant or to everybody."""
    if caller.is_admin:
        return true()
    anybody = projects.c.public if permission in PUBLIC else false()
    match caller.kind:
        case PrincipalKind.USER:
            roles = [role.value for role in Role if permission in permissions(role)]
            return or_(anybody, _member(caller, memberships.c.role_id.in_(roles)))
        case PrincipalKind.ROBOT:
            namespaces = {grant.namespace for grant in caller.robot_grants if permission in grant.permissions} - {"/"}
            return true() if "*" in namespaces else or_(anybody, projects.c.name.in_(sorted(namespaces)))
        case PrincipalKind.ANONYMOUS:
            return anybody
        case PrincipalKind.SYSTEM:
            return false()


def within_allowed(session: Session, caller: Principal, permission: Permission) -> ColumnElement[bool]:
    """The same condition as it is fastest for a list of what is in the projects.

    Few projects are told by their numbers, and the list is put together out of theirs; many by the rule, and the list
    is walked in its own order until a page is full. Either way it is one parameter, or a handful.
    """
    if caller.is_admin:
        return true()
    rule = and_(projects.c.deleted_at.is_(None), allowing(caller, permission))
    few = session.scalars(select(projects.c.id).where(rule).limit(FEW + 1)).all()
    return rule if len(few) > FEW else projects.c.id == any_(literal(few, ARRAY(Integer)))


def is_allowed_somewhere(session: Session, caller: Principal, permission: Permission) -> bool:
    """Whether there is a project where the caller has a permission."""
    wanted = select(projects.c.id).where(projects.c.deleted_at.is_(None), allowing(caller, permission))
    return bool(session.scalar(select(wanted.exists())))


def created_allowing(
    session: Session, caller: Principal, permission: Permission, terms: tuple[Term, ...] = (), *, everywhere: bool
) -> dict[str, datetime] | None:
    """The names of the same projects, with the time since when each name is theirs; None is all of them.

    Of the terms those on project_id are asked. `everywhere`: the caller has the permission in all of them by another
    right. Raises BadRequest where a term is none of a number.
    """
    asked = conditions(terms, {"project_id": FIELDS["project_id"]})
    if everywhere and not asked:
        return None
    wanted = select(projects.c.name, projects.c.created_at)
    allowed = true() if everywhere else allowing(caller, permission)
    rows = session.execute(wanted.where(projects.c.deleted_at.is_(None), allowed, *asked))
    return {row.name: row.created_at for row in rows}


def roles_of(session: Session, caller: Principal, project_ids: Iterable[int]) -> dict[int, list[Role]]:
    """The caller's roles in some projects, strongest first; a project where he has none is not in the answer."""
    wanted = list(project_ids)
    if caller.kind is not PrincipalKind.USER or not wanted:
        return {}
    found = select(memberships.c.project_id, memberships.c.role_id).where(
        memberships.c.user_id == caller.id, memberships.c.project_id.in_(wanted)
    )
    roles: dict[int, set[Role]] = {}
    for project_id, role_id in session.execute(found):
        roles.setdefault(project_id, set()).add(Role(role_id))
    return {project_id: strongest_first(held) for project_id, held in roles.items()}


def held_roles(session: Session, caller: Principal, listing: Listing) -> Page[HeldRole]:
    """The projects in which the caller has a role, by name, each with the strongest."""
    statement = (
        select(projects.c.id, projects.c.name, func.array_agg(memberships.c.role_id).label("role_ids"))
        .join(memberships, memberships.c.project_id == projects.c.id)
        .where(
            memberships.c.user_id == (caller.id if caller.kind is PrincipalKind.USER else None),
            projects.c.deleted_at.is_(None),
            *conditions(listing.terms, _OF_ROLES),
        )
        .group_by(projects.c.id)
        .order_by(*ordering(listing.order, _OF_ROLES, (projects.c.name.asc(),)))
    )
    return fetch(session, statement, listing, _held)


def summarise(session: Session, project_id: int) -> ProjectSummary:
    """How many members have each role, groups as one."""
    counted = (
        select(members.c.role_id, func.count().label("members"))
        .outerjoin(users, users.c.id == members.c.user_id)
        .where(members.c.project_id == project_id, users.c.deleted_at.is_(None))
        .group_by(members.c.role_id)
    )
    return ProjectSummary(members={row.role_id: row.members for row in session.execute(counted)})


def last_deleted(session: Session, name: str) -> datetime | None:
    """When a project of this name was deleted last."""
    deleted = select(func.max(projects.c.deleted_at)).where(projects.c.name == name, projects.c.deleted_at.is_not(None))
    moment: datetime | None = session.scalar(deleted)
    return moment


def _member(caller: Principal, *wanted: ColumnElement[bool]) -> ColumnElement[bool]:
    """Correlated: as a list of numbers, it would be made for every page, however few projects the page looks at."""
    mine = (memberships.c.project_id == projects.c.id, memberships.c.user_id == caller.id)
    return select(memberships.c.role_id).where(*mine, *wanted).exists()


def _held(row: Row[Any]) -> HeldRole:
    strongest = strongest_first(map(Role, row.role_ids))[0]
    return HeldRole(project_id=row.id, project_name=row.name, role=strongest)


def _read(row: Row[Any]) -> Project:
    return Project(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
