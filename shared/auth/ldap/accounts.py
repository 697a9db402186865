"""The accounts of a directory's users: made where there is none, and brought up to what the directory says now."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

from psycopg.rows import tuple_row

from shared import logging
from shared.auth.ldap.entries import Entry
from shared.directory import Connection
from shared.events import Event, EventContext
from shared.events.definitions.user import UserCreated, UserUpdated
from shared.events.outbox import emit_raw

_TAKE_IN: Final = """
    SELECT user_id, created, admin_changed
    FROM core.take_in_directory_user(%s, %s, %s, %s, CAST(%s AS text[]), CAST(%s AS boolean))
"""
_FORBIDDEN_IN_NAME: Final = frozenset(',"~#$%:/\\')


def take_in(
    connection: Connection,
    user: Entry,
    groups: Sequence[str] | None,
    *,
    admin: bool | None,
    prefix: str,
    context: EventContext,
) -> int | None:
    """The number of a directory's user here; None where his name cannot be one, or belongs to the database.

    `groups` are the distinguished names of all that he is in, `admin` whether one of them makes an administrator; None
    where the directory was not asked, and what was known stays. `prefix` is what a robot account's name begins with.
    The caller holds the transaction.
    """
    name = user.name
    if name != name.strip() or not name.isprintable() or _FORBIDDEN_IN_NAME & set(name) or name.startswith(prefix):
        logging.get().warning("ldap.name_unfit", name=name)
        return None
    given = (name, user.full_name, user.mail, user.dn, None if groups is None else list(groups), admin)
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_TAKE_IN, given).fetchone()
    if row is None:
        logging.get().warning("ldap.name_belongs_to_the_database", name=name)
        return None
    user_id, created, admin_changed = row
    events: list[tuple[Event, UUID]] = []
    if created:
        events.append((UserCreated(username=name, user_id=user_id, admin=bool(admin)), uuid4()))
    elif admin_changed:
        changed = UserUpdated(username=name, user_id=user_id, changed=("admin_role_in_auth",), admin=bool(admin))
        events.append((changed, uuid4()))
    emit_raw(connection, events, context=context)
    return int(user_id)
