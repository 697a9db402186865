"""Reading the members of a project."""

from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.api.domain.member import Member
from services.api.errors import NoSuchMember
from services.api.tables import members, user_groups, users
from shared.auth.roles import Role
from shared.events.definitions.member import MemberKind
from shared.listing import Listing, Page, fetch

_NAME: Final = func.coalesce(users.c.username, user_groups.c.name)

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
    """The members of a project by name, or those whose name contains a text."""
    statement = _members(project_id).order_by(_NAME, members.c.id)
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
