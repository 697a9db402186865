"""Users and groups that the directory knows and this system does not yet: they get their place when they are named.

The directory is asked before anything is written, and no database connection waits for it.
"""

from dataclasses import dataclass
from typing import TypeVar

from gateway.core.bodies.group import UserGroupBody
from gateway.core.request import ApiRequest
from services.api.commands.group import create_group, onboard_group
from services.api.domain.group import UserGroup, parse_group_type
from services.api.errors import NoSuchGroup, NoSuchUser, UnfitGroup
from services.api.queries import group as queries
from services.api.queries.user import find_user
from shared import directory
from shared.auth.accounts import robot_prefix
from shared.auth.authenticate import is_malformed
from shared.auth.ldap.accounts import take_in
from shared.auth.ldap.directory import LdapDirectory, NoDirectory
from shared.auth.ldap.entries import Entry, Group
from shared.auth.ldap.names import canonical_dn

_Named = TypeVar("_Named", UserGroup, Group)


@dataclass(frozen=True, slots=True)
class Onboarding:
    """Finds who is named, here first and then in the directory."""

    ldap: LdapDirectory

    def user_id(self, req: ApiRequest, named: int | str) -> int:
        """The number of a user. Raises NoSuchUser, Unavailable."""
        if isinstance(named, int):
            return named
        known = find_user(req.database, named)
        if known is not None:
            return known.id
        number = None
        if not is_malformed(named, "-") and self._is_open(req):
            entry = self.ldap.find_user(named)
            number = None if entry is None else self.take_in(req, entry)
        if number is None:
            raise NoSuchUser(f"the user {named[:80]!r} does not exist")
        return number

    def take_in(self, req: ApiRequest, entry: Entry) -> int | None:
        """The number of a directory's user, None where his name cannot be one here.

        What he may do through groups is found out when he logs in, not before.
        """
        connection = directory.plain(req.database)
        prefix = robot_prefix(connection)
        return take_in(connection, entry, None, admin=None, prefix=prefix, context=req.event_context)

    def import_users(self, req: ApiRequest, names: list[str]) -> dict[str, str]:
        """Make accounts of the directory's users; whoever has one keeps it.

        Returns who could not be taken in, and why. Raises NoDirectory, Unavailable.
        """
        req.release_database()
        if not self.ldap.present().is_open:
            raise NoDirectory
        found: dict[str, Entry] = {}
        failed: dict[str, str] = {}
        for name in dict.fromkeys(names):
            entry = None if is_malformed(name, "-") else self.ldap.find_user(name)
            if entry is None:
                failed[name] = "the directory has no such user"
            else:
                found[name] = entry
        for name, entry in sorted(found.items()):
            if self.take_in(req, entry) is None:
                failed[name] = "the name cannot be an account's here, or belongs to an account of the database"
        return failed

    def new_group(self, req: ApiRequest, dn: str) -> UserGroup:
        """Make a group of the directory known. Raises BadRequest, GroupExists, Unavailable."""
        found = self._look_up(req, dn)
        return create_group(req.database, found.name, found.dn, now=req.now, context=req.event_context)

    def group_id(self, req: ApiRequest, named: UserGroupBody) -> int:
        """The number of a group that a member of a project shall be. Raises BadRequest, NoSuchGroup, Unavailable."""
        parse_group_type(named.group_type)
        if named.id:
            return named.id
        if named.ldap_group_dn:
            known = queries.find_group(req.database, canonical_dn(named.ldap_group_dn))
            found = None if known else self._look_up(req, named.ldap_group_dn)
        else:
            known = _only(queries.groups_named(req.database, named.group_name), named.group_name)
            found = None if known else self._look_up_by_name(req, named.group_name)
        if known is not None:
            return known.id
        if found is None:
            raise NoSuchGroup(f"the user group {named.group_name[:80]!r} does not exist")
        return onboard_group(req.database, found.name, found.dn, now=req.now, context=req.event_context).id

    def _look_up(self, req: ApiRequest, dn: str) -> Group:
        wanted = canonical_dn(dn)
        req.release_database()
        found = self.ldap.find_group(wanted)
        if found is None:
            raise UnfitGroup(f"the directory has no group {wanted[:200]}")
        return found

    def _look_up_by_name(self, req: ApiRequest, name: str) -> Group | None:
        if not self._is_open(req):
            return None
        return _only(self.ldap.find_groups(name), name)

    def _is_open(self, req: ApiRequest) -> bool:
        """Whether there is a directory whose users log in here."""
        req.release_database()
        return self.ldap.present().is_open


def _only(found: list[_Named], name: str) -> _Named | None:
    """The one group of a name. Raises UnfitGroup where there are several."""
    if len(found) > 1:
        raise UnfitGroup(f"several groups are named {name[:80]!r}: name one by ldap_group_dn")
    return found[0] if found else None
