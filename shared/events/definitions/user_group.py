"""Groups of users: which groups of the directory are known here. Who is in one is the directory's own affair."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class UserGroupEvent(Event):
    """The fields all events of a group share."""

    noun: ClassVar[str] = "user_group"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    group: Annotated[str, "the group's name here"]
    group_id: Annotated[int, "the group's number"]

    @property
    def subject(self) -> str:
        """The group's name."""
        return self.group


@dataclass(frozen=True, kw_only=True)
class UserGroupCreated(UserGroupEvent):
    """A group of the directory was made known, by an administrator or as the member of a project."""

    verb: ClassVar[str] = "created"

    ldap_dn: Annotated[str, "its distinguished name in the directory"]


@dataclass(frozen=True, kw_only=True)
class UserGroupUpdated(UserGroupEvent):
    """A group was given another name; `group` is the new one."""

    verb: ClassVar[str] = "updated"

    previous_name: Annotated[str | None, "the name before, null when not known"] = None


@dataclass(frozen=True, kw_only=True)
class UserGroupDeleted(UserGroupEvent):
    """A group was forgotten, and the roles that it gave in projects with it."""

    verb: ClassVar[str] = "deleted"

    ldap_dn: Annotated[str, "its distinguished name in the directory"]
