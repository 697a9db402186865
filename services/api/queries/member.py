"""Reading the members of a project."""

from typing import Any, Final

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from services.api.domain.member import Member
from services.api.errors import NoSuchMember
from services.api.tables import members, users
from shared.auth.roles import Role
from shared.listing import Listing, Page, fetch

_COLUMNS: Final = (
    members.c.id,
    members.c.project_id,
    members.c.user_id,
    users.c.username,
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
    statement = _members(project_id).order_by(users.c.username, members.c.id)
    if name:
        statement = statement.where(users.c.username.icontains(name, autoescape=True))
    return fetch(session, statement, listing, _read)


def _members(project_id: int) -> Select[Any]:
    return (
        select(*_COLUMNS)
        .join(users, users.c.id == members.c.user_id)
        .where(members.c.project_id == project_id, users.c.deleted_at.is_(None))
    )


def _read(row: Row[Any]) -> Member:
    return Member(
        id=row.id,
        project_id=row.project_id,
        user_id=row.user_id,
        username=row.username,
        role=Role(row.role_id),
        created_at=row.created_at,
    )
