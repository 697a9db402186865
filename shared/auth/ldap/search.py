"""What is looked up in a directory: a user, a group, and the groups that somebody is in, nested ones too."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

import ldap3
from ldap3.core.exceptions import LDAPException

from shared import logging
from shared.auth.ldap.connection import BROKEN, Connection, raise_if
from shared.auth.ldap.entries import Entry, Group
from shared.auth.ldap.filters import group_filter, holding_filter, user_filter
from shared.auth.ldap.names import canonical_dn
from shared.auth.ldap.settings import LdapSettings
from shared.errors import BadRequest

DEEPEST: Final = 10
"""Groups within groups that are followed upwards."""
MOST_GROUPS: Final = 1_000
"""Groups of one user that are looked at."""
MOST_FOUND: Final = 1_000
"""Entries that one search shows at most: who wants others has to say more."""

_SCOPES: Final = {0: ldap3.BASE, 1: ldap3.LEVEL, 2: ldap3.SUBTREE}
_ABSENT: Final = frozenset({10, 32, 34})
"""No such entry here, at most in another directory, or a name that the server does not take for one."""
_TOO_MANY: Final = frozenset({4})
_UNSEARCHABLE: Final = BROKEN | {3, 10, 11, 32, 50}
"""The same of a search: it took too long, or its base is missing, elsewhere or closed to us; no user's name causes
these."""
_AT_ONCE: Final = 50


def find_user(connection: Connection, settings: LdapSettings, name: str) -> Entry | None:
    """The one user of this name; several are none. Raises LDAPException."""
    found = _search_users(connection, settings, user_filter(settings, name), most=2)
    return _user(found[0], settings, wanted=name.strip().lower()) if len(found) == 1 else None


def find_users(connection: Connection, settings: LdapSettings, name: str) -> list[Entry]:
    """The users of this name, or all, as many as one search shows. Raises LDAPException."""
    found = _search_users(connection, settings, user_filter(settings, name), most=MOST_FOUND)
    return [user for user in (_user(each, settings) for each in found) if user]


def find_group(connection: Connection, settings: LdapSettings, dn: str) -> Group | None:
    """The group of this name, if the configured filter leaves it in. Raises LDAPException."""
    connection.search(
        dn,
        settings.group_filter or "(objectClass=*)",
        search_scope=ldap3.BASE,
        attributes=[settings.group_name],
        time_limit=settings.timeout,
    )
    if connection.result["result"] in _ABSENT:
        return None
    raise_if(_UNSEARCHABLE, connection.result)
    return next(_groups(connection, settings), None)


def find_groups(connection: Connection, settings: LdapSettings, name: str) -> list[Group]:
    """The groups of this name, or all, as many as one search shows. Raises LDAPException."""
    connection.search(
        settings.group_base_dn,
        group_filter(settings, name),
        search_scope=_SCOPES.get(settings.group_scope, ldap3.SUBTREE),
        attributes=[settings.group_name],
        size_limit=MOST_FOUND,
        time_limit=settings.timeout,
    )
    raise_if(_UNSEARCHABLE, connection.result, about=settings.group_base_dn)
    return list(_groups(connection, settings))


def groups_of(connection: Connection, settings: LdapSettings, user: Entry) -> list[str]:
    """The names of all groups that a user is in, directly or through other groups. Raises LDAPException."""
    known = {dn.lower(): dn for dn in user.groups}
    edge = [user.dn, *known.values()]
    for _ in range(DEEPEST):
        above = {dn.lower(): dn for dn in _holding(connection, settings, edge)}
        edge = [dn for key, dn in above.items() if key not in known]
        known |= above
        if not edge:
            break
        if len(known) > MOST_GROUPS:
            raise LDAPException(f"{user.name} is in more than {MOST_GROUPS} groups")
    else:
        logging.get().warning("ldap.groups_too_deep", user=user.name, deepest=DEEPEST)
    return list(known.values())


def _holding(connection: Connection, settings: LdapSettings, members: list[str]) -> Iterator[str]:
    """The groups that hold any of these directly."""
    waiting = iter(members)
    while batch := list(islice(waiting, _AT_ONCE)):
        connection.search(
            settings.group_base_dn,
            holding_filter(settings, batch),
            search_scope=_SCOPES.get(settings.group_scope, ldap3.SUBTREE),
            attributes=ldap3.NO_ATTRIBUTES,
            time_limit=settings.timeout,
        )
        raise_if(_UNSEARCHABLE | _TOO_MANY, connection.result, about=settings.group_base_dn)
        yield from (dn for dn in (_readable(str(entry["dn"])) for entry in _entries(connection)) if dn)


def _search_users(
    connection: Connection, settings: LdapSettings, filter_: str, *, most: int
) -> list[Mapping[str, Any]]:
    connection.search(
        settings.base_dn,
        filter_,
        search_scope=_SCOPES.get(settings.scope, ldap3.SUBTREE),
        attributes=[settings.uid, "cn", "mail", settings.membership],
        size_limit=most,
        time_limit=settings.timeout,
    )
    raise_if(_UNSEARCHABLE, connection.result, about=settings.base_dn)
    return _entries(connection)


def _user(found: Mapping[str, Any], settings: LdapSettings, *, wanted: str = "") -> Entry | None:
    """A user under the wanted one of his names, or his only one."""
    attributes = found["attributes"]
    names = [name for name in _values(attributes, settings.uid) if wanted in {"", name.lower()}]
    if len(names) != 1:
        return None
    groups = (_readable(dn) for dn in _values(attributes, settings.membership))
    return Entry(
        dn=str(found["dn"]),
        name=names[0],
        full_name=next(iter(_values(attributes, "cn")), ""),
        mail=next(iter(_values(attributes, "mail")), ""),
        groups=tuple(dict.fromkeys(dn for dn in groups if dn)),
    )


def _groups(connection: Connection, settings: LdapSettings) -> Iterator[Group]:
    for found in _entries(connection):
        names, dn = _values(found["attributes"], settings.group_name), _readable(str(found["dn"]))
        if names and dn:
            yield Group(dn=dn, name=names[0])


def _entries(connection: Connection) -> list[Mapping[str, Any]]:
    """What was found, without the pointers to other directories."""
    return [entry for entry in connection.response or () if entry["type"] == "searchResEntry"]


def _readable(dn: str) -> str | None:
    try:
        return canonical_dn(dn)
    except BadRequest:
        logging.get().warning("ldap.unreadable_dn", dn=dn[:200])
        return None


def _values(attributes: Mapping[str, Any], name: str) -> list[str]:
    """An attribute's values as texts; attribute names are the same in any case."""
    for key, value in attributes.items():
        if key.lower() == name.lower():
            return [str(each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    return []
