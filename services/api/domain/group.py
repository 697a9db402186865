"""Groups of users: those of a directory, which the directory alone fills."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

from services.api.errors import UnfitGroup

_MAX_NAME: Final = 255


class GroupType(IntEnum):
    """Who keeps a group; the numbers are those of Harbor's API."""

    LDAP = 1
    """A directory."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UserGroup:
    """A group that can be a member of projects."""

    id: int
    name: str
    type: GroupType
    ldap_dn: str
    created_at: datetime
    updated_at: datetime


def check_group_name(name: str) -> str:
    """The name itself. Raises UnfitGroup."""
    if not 1 <= len(name) <= _MAX_NAME or name != name.strip() or not name.isprintable():
        raise UnfitGroup(f"the group name must have 1 to {_MAX_NAME} printable characters, no blank at either end")
    return name


def parse_group_type(number: int) -> GroupType:
    """The type of a number. Raises UnfitGroup: HTTP and OIDC groups would have nobody who fills them."""
    try:
        return GroupType(number)
    except ValueError as error:
        raise UnfitGroup(f"group_type {number} has no source here: only 1, a group of the directory (LDAP)") from error
