"""Reading users: one by number or name, all of them for administrators, a search by name for everybody signed in."""

from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.api.domain.user import Source, User
from services.api.errors import NoSuchUser
from services.api.tables import users
from shared.listing import Field, Fields, Kind, Listing, Page, conditions, fetch, ordering

FIELDS: Final[Fields] = {
    "user_id": Field(users.c.id, Kind.INTEGER),
    "username": Field(users.c.username),
    "email": Field(users.c.email),
    "realname": Field(users.c.realname),
    "comment": Field(users.c.comment),
    "sysadmin_flag": Field(users.c.sysadmin, Kind.BOOLEAN),
    "disabled": Field(users.c.disabled, Kind.BOOLEAN),
    "creation_time": Field(users.c.created_at, Kind.TIME),
    "update_time": Field(users.c.updated_at, Kind.TIME),
}

_COLUMNS: Final = (
    users.c.id,
    users.c.username,
    func.coalesce(users.c.email, "").label("email"),
    users.c.realname,
    users.c.comment,
    users.c.source,
    users.c.sysadmin,
    users.c.directory_admin,
    users.c.disabled,
    users.c.created_at,
    users.c.updated_at,
)


def get_user(session: Session, user_id: int) -> User:
    """The user. Raises NoSuchUser where there is none, or a deleted one."""
    row = session.execute(_users().where(users.c.id == user_id)).one_or_none()
    if row is None:
        raise NoSuchUser
    return _read(row)


def find_user(session: Session, username: str) -> User | None:
    """The user of this name, in whatever case it is written."""
    row = session.execute(_users().where(func.lower(users.c.username) == username.lower())).one_or_none()
    return None if row is None else _read(row)


def list_users(session: Session, listing: Listing) -> Page[User]:
    """The users, by name unless asked otherwise."""
    statement = (
        _users()
        .where(*conditions(listing.terms, FIELDS))
        .order_by(*ordering(listing.order, FIELDS, (users.c.username.asc(), users.c.id.asc())))
    )
    return fetch(session, statement, listing, _read)


def search_users(session: Session, text: str, listing: Listing) -> Page[User]:
    """The users whose name contains a text, whatever the case; the closest names first."""
    statement = (
        _users()
        .where(users.c.username.icontains(text, autoescape=True))
        .order_by(func.length(users.c.username), users.c.username, users.c.id)
    )
    return fetch(session, statement, listing, _read)


def _users() -> Select[Any]:
    return select(*_COLUMNS).where(users.c.deleted_at.is_(None))


def _read(row: Row[Any]) -> User:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return User(**(values | {"source": Source(values["source"])}))
