"""Reading the members of a project."""

from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.api.domain.member import Member
from services.api.errors import NoSuchMember
from services.api.tables import members, user_groups, users
from shared.auth.roles import Role
from shared.events.definitions.member import MemberKind
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

_NAME: Final = func.coalesce(users.c.username, user_groups.c.name)

FIELDS: Final[Fields] = {
    "id": Field(members.c.id, Kind.INTEGER),
    "entity_name": Field(_NAME),
    "role_id": Field(members.c.role_id, Kind.INTEGER),
    "creation_time": Field(members.c.created_at, Kind.TIME),
}

_COLUMNS: Final = (
    members.c.id,
    members.c.project_id,
    members.c.user_id,
    members.c.group_id,
    _NAME.label("name"),
    members.c.role_id,
    members.c.created_at,
)


def get_member(session: Session, project_id: int, member_id: int) -> Member:
    """A member of this very project. Raises NoSuchMember."""
    row = session.execute(_members(project_id).where(members.c.id == member_id)).one_or_none()
    if row is None:
        raise NoSuchMember
    return _read(row)


def list_members(session: Session, project_id: int, listing: Listing, *, name: str = "") -> Page[Member]:
    """The members of a project, or those whose name contains a text; by name unless asked otherwise."""
    statement = (
        _members(project_id)
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (_NAME.asc(), members.c.id.asc())))
    )
    if name:
        statement = statement.where(_NAME.icontains(name, autoescape=True))
    return fetch(session, statement, listing, _read)


def _members(project_id: int) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .outerjoin(users, users.c.id == members.c.user_id)
        .outerjoin(user_groups, user_groups.c.id == members.c.group_id)
        .where(members.c.project_id == project_id, users.c.deleted_at.is_(None))
    )


def _read(row: Row[Any]) -> Member:
    return Member(
        id=row.id,
        project_id=row.project_id,
        kind=MemberKind.USER if row.group_id is None else MemberKind.GROUP,
        entity_id=row.user_id if row.group_id is None else row.group_id,
        name=row.name,
        role=Role(row.role_id),
        created_at=row.created_at,
    )
