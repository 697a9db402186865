"""Changing the system's configuration, all given items or none; secrets are sealed before they are stored."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from services.api.domain.configuration import ITEMS
from services.api.domain.fitness import problem_of
from services.api.errors import UnfitSetting
from services.api.queries.configuration import Values, has_other_users, values
from services.api.tables import configuration, users
from shared.events import EventContext, emit
from shared.events.definitions.configuration import ConfigurationUpdated
from shared.secrets import Sealer, Secret

_MAKES_ADMINISTRATORS: Final = frozenset({"auth_mode", "ldap_url", "ldap_group_admin_dn"})
"""Where these change, whoever is an administrator by the directory's word has to hear it anew."""


def update_configuration(
    session: Session,
    wanted: Mapping[str, object],
    *,
    fixed: Values,
    sealer: Sealer,
    now: datetime,
    context: EventContext,
) -> tuple[str, ...]:
    """Set some items and return the names of those that changed; names that are no item's are passed over.

    `fixed` are the items that this instance was started with. Raises UnfitSetting with the first that cannot be set,
    and then sets none.
    """
    known = {key: value for key, value in wanted.items() if key in ITEMS}
    present = values(session) | fixed
    for problem in (problem_of(key, value, present.get(key)) for key, value in known.items()):
        if problem:
            raise UnfitSetting(problem)
    changed = {key: value for key, value in known.items() if present.get(key) != value}
    if "auth_mode" in changed and has_other_users(session):
        raise UnfitSetting("auth_mode cannot be changed once there are other users than admin")
    if not changed:
        return ()
    _store(session, {key: _at_rest(key, value, sealer) for key, value in changed.items()}, now=now)
    if changed.keys() & _MAKES_ADMINISTRATORS:
        session.execute(update(users).where(users.c.directory_admin).values(directory_admin=False, updated_at=now))
    names = tuple(sorted(changed))
    emit(session, ConfigurationUpdated(changed=names), context=context)
    return names


def _at_rest(key: str, value: object, sealer: Sealer) -> object:
    if ITEMS[key].secret and value:
        return {"sealed": sealer.seal(Secret(str(value)))}
    return value


def _store(session: Session, items: Mapping[str, object], *, now: datetime) -> None:
    rows = [{"key": key, "value": value, "updated_at": now} for key, value in sorted(items.items())]
    statement = upsert(configuration).values(rows)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[configuration.c.key],
            set_={"value": statement.excluded.value, "updated_at": statement.excluded.updated_at},
        )
    )
