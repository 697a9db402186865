"""Logging in with a directory's name and password: looked up by the search account, then bound with the password.

A directory that does not answer stops only its own users.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared import directory
from shared.auth.authenticate import Accepted, Credential, Method, NotMine, Reason, Rejected, Verdict
from shared.auth.ldap.accounts import take_in
from shared.auth.ldap.directory import LdapDirectory, Present
from shared.auth.ldap.entries import Proven
from shared.auth.ldap.names import dn_key
from shared.auth.ldap.settings import LdapSettings
from shared.directory import Lender, User
from shared.events import Actor, ActorKind, EventContext


@dataclass(frozen=True, slots=True)
class LdapUsers:
    """The users of the directory that is configured at this moment, if any."""

    ldap: LdapDirectory
    lend: Lender
    instance_id: UUID

    def authenticate(self, credential: Credential, now: datetime) -> Verdict:  # noqa: ARG002 - its users have no end
        """Judge a credential; a new user of the directory gets an account. Raises Unavailable."""
        present = self.ldap.present()
        # a robot's name, or one that nobody can have: those are judged where nothing may wait for a directory
        name, settings = credential.name, present.settings
        if settings is None or not present.is_open or "$" in name or name.startswith(present.robot_prefix):
            return NotMine()

        found = self.ldap.judge(settings, name, credential.password, with_groups=present.has_groups)
        if isinstance(found, Reason):
            return Rejected(reason=found)
        user = self._take_in(found, present, settings)
        if user is None:
            return Rejected(reason=Reason.UNKNOWN)
        if user.disabled:
            return Rejected(reason=Reason.DISABLED)
        return Accepted(principal=user.principal, method=Method.LDAP)

    def _take_in(self, proven: Proven, present: Present, settings: LdapSettings) -> User | None:
        actor = Actor(kind=ActorKind.USER, name=proven.entry.name)
        with self.lend() as connection, connection.transaction():
            user_id = take_in(
                connection,
                proven.entry,
                proven.groups,
                admin=_holds_admins(proven.groups, settings.group_admin_dn),
                prefix=present.robot_prefix,
                context=EventContext(instance_id=self.instance_id, actor=actor),
            )
            return None if user_id is None else directory.find_user_by_id(connection, user_id)


def _holds_admins(groups: tuple[str, ...], admin_dn: str) -> bool:
    return bool(admin_dn) and dn_key(admin_dn) in {group.lower() for group in groups}
