"""Reading the system's configuration: what is stored over what is the default."""

from typing import Final

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from services.api.domain.configuration import ITEMS, Setting, Value
from services.api.domain.user import FIRST_ADMIN
from services.api.tables import configuration, users

Values = dict[str, Value]

_READ_ONLY: Final = text("SELECT read_only FROM core.modes")


def values(session: Session) -> Values:
    """The present value of every item that is no secret; the default where a stored value no longer fits."""
    stored = {row.key: row.value for row in session.execute(select(configuration.c.key, configuration.c.value))}
    shown = {key: item for key, item in ITEMS.items() if not item.secret}
    return {key: _value(stored.get(key), item.default) for key, item in shown.items()}


def settings(session: Session, fixed: Values) -> dict[str, Setting]:
    """The same with whether each can be changed; the login's kind cannot once somebody could be locked out by it.

    `fixed` are the items that this instance was started with.
    """
    locked = {"auth_mode"} if has_other_users(session) else set()
    return {
        key: Setting(value=value, editable=ITEMS[key].editable and key not in locked)
        for key, value in (values(session) | fixed).items()
    }


def value(session: Session, key: str) -> Value:
    """The present value of one item that is no secret."""
    stored = session.scalar(select(configuration.c.value).where(configuration.c.key == key))
    return _value(stored, ITEMS[key].default)


def is_read_only(session: Session) -> bool:
    """Whether all changes are stopped."""
    return bool(session.scalar(_READ_ONLY))


def has_other_users(session: Session) -> bool:
    """Whether there is any account but the first administrator's."""
    others = select(users.c.id).where(users.c.id != FIRST_ADMIN, users.c.deleted_at.is_(None))
    return bool(session.scalar(select(exists(others))))


def _value(stored: object, default: Value) -> Value:
    return stored if type(stored) is type(default) else default
