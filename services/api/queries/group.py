"""Reading groups of users."""

from typing import Any, Final

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from services.api.domain.group import GroupType, UserGroup
from services.api.errors import NoSuchGroup
from services.api.tables import user_groups
from shared.listing import Field, Fields, Kind, Listing, Page, fetch, ordering

FIELDS: Final[Fields] = {
    "id": Field(user_groups.c.id, Kind.INTEGER),
    "group_name": Field(user_groups.c.name),
    "ldap_group_dn": Field(user_groups.c.ldap_dn),
}
_COLUMNS: Final = tuple(user_groups.c[name] for name in UserGroup.__dataclass_fields__)


def get_group(session: Session, group_id: int) -> UserGroup:
    """The group. Raises NoSuchGroup."""
    row = session.execute(select(*_COLUMNS).where(user_groups.c.id == group_id)).one_or_none()
    if row is None:
        raise NoSuchGroup
    return _read(row)


def find_group(session: Session, dn: str) -> UserGroup | None:
    """The group of a distinguished name in its one way of writing, whatever the case."""
    row = session.execute(_of_dn(dn)).one_or_none()
    return None if row is None else _read(row)


def groups_named(session: Session, name: str) -> list[UserGroup]:
    """The groups of this name, whatever the case; a directory may have several. No more than two are told."""
    found = select(*_COLUMNS).where(func.lower(user_groups.c.name) == func.lower(name))
    return [_read(row) for row in session.execute(found.order_by(user_groups.c.id).limit(2))]


def list_groups(session: Session, listing: Listing, *, name: str = "", dn: str = "") -> Page[UserGroup]:
    """The groups by name, or as asked: all, those whose name contains a text, or the one with a distinguished name."""
    statement = _of_dn(dn) if dn else select(*_COLUMNS)
    if name:
        statement = statement.where(user_groups.c.name.icontains(name, autoescape=True))
    ordered = statement.order_by(*ordering(listing.order, FIELDS, (user_groups.c.name.asc(), user_groups.c.id.asc())))
    return fetch(session, ordered, listing, _read)


def _of_dn(dn: str) -> Select[Any]:
    return select(*_COLUMNS).where(func.lower(user_groups.c.ldap_dn) == func.lower(dn))


def _read(row: Row[Any]) -> UserGroup:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return UserGroup(**(values | {"type": GroupType(values["type"])}))
