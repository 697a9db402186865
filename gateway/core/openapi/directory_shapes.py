"""What answers about groups and directories look like; see `shapes`."""

from typing import NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on


class GroupEntry(TypedDict):
    """A user group."""

    id: int
    group_name: str
    group_type: int
    ldap_group_dn: str


class FoundGroup(TypedDict):
    """A user group, to somebody who looks for one to make it a member."""

    id: int
    group_name: str
    group_type: int


class PingResult(TypedDict):
    """Whether a directory can be used, or why it cannot."""

    success: NotRequired[bool]
    message: NotRequired[str]


class DirectoryUser(TypedDict):
    """A user of the directory."""

    username: str
    realname: str
    email: str


class DirectoryGroup(TypedDict):
    """A group of the directory."""

    group_name: str
    group_type: int
    ldap_group_dn: str


class FailedImport(TypedDict):
    """A user who could not be taken in, and why."""

    uid: str
    error: str
