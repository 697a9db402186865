"""The permission matrix as data: what each role may do in a project, and what anybody may in a public one.

Token mount, API, gate and portal all ask here, so that no two of them disagree.
Source: the role policies of Harbor's API v2.0.
"""

from collections.abc import Iterable
from enum import IntEnum
from functools import cache, lru_cache
from typing import Final

Permission = tuple[str, str]
"""A resource of a project and an action on it."""


class Role(IntEnum):
    """A member's role; the numbers are those of Harbor's API."""

    PROJECT_ADMIN = 1
    """Everything in the project."""
    DEVELOPER = 2
    """Pulls and pushes, deletes nothing."""
    GUEST = 3
    """Pulls, and sees members and labels."""
    MAINTAINER = 4
    """Pulls, pushes and deletes; manages neither members nor robots."""
    LIMITED_GUEST = 5
    """Pulls, and sees nothing else."""

    @property
    def label(self) -> str:
        """The role's name in the API: `projectAdmin`, `limitedGuest`."""
        head, *rest = self.name.lower().split("_")
        return head + "".join(word.capitalize() for word in rest)


_ROLES: Final = (Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST)

# One row a resource. Columns: the roles in the order above, then anybody in a public project.
_MATRIX: Final[dict[str, tuple[str, str, str, str, str, str]]] = {
    "project": ("read update delete", "read", "read", "read", "read", "read"),
    "member": ("create read update delete list", "read list", "read list", "read list", "", ""),
    "metadata": ("create read update delete", "read", "", "", "", ""),
    "log": ("list", "", "", "", "", ""),
    "label": (
        "create read update delete list",
        "create read update delete list",
        "read list",
        "read list",
        "",
        "read list",
    ),
    "quota": ("read", "read", "read", "read", "read", ""),
    "repository": (
        "create read update delete list pull push",
        "create read update delete list pull push",
        "create read update list pull push",
        "read list pull",
        "read list pull",
        "list pull",
    ),
    "tag-retention": (
        "create read update delete list operate",
        "create read update delete list operate",
        "create read update delete list operate",
        "",
        "",
        "",
    ),
    "immutable-tag": ("create update delete list", "create update delete list", "", "", "", ""),
    "configuration": ("read update", "read", "read", "read", "read", ""),
    "robot": ("create read update delete list", "read list", "read list", "read list", "", ""),
    "notification-policy": ("create read update delete list", "read list", "", "", "", ""),
    "scan": ("create read stop", "create read stop", "read", "read", "read", "read"),
    "sbom": ("create read stop", "create read stop", "read", "read", "read", ""),
    "scanner": ("create read", "read", "read", "read", "read", "read"),
    "artifact": (
        "create read delete list",
        "create read delete list",
        "create read list",
        "read list",
        "read list",
        "read list",
    ),
    "artifact-addition": ("read", "read", "read", "read", "read", "read"),
    "tag": ("create delete list", "create delete list", "create list", "list", "list", "list"),
    "accessory": ("list", "list", "list", "list", "list", "list"),
    "artifact-label": ("create delete", "create delete", "create delete", "", "", ""),
    "preheat-policy": ("create read update delete list", "", "", "", "", ""),
    "export-cve": ("create read list", "create read list", "create read list", "", "", ""),
}


def _column(number: int) -> frozenset[Permission]:
    return frozenset((resource, action) for resource, cells in _MATRIX.items() for action in cells[number].split())


_PERMISSIONS: Final = {role: _column(number) for number, role in enumerate(_ROLES)}

PUBLIC: Final[frozenset[Permission]] = _column(len(_ROLES))
"""What anybody may do in a public project, anonymous callers too."""

EVERYTHING: Final[frozenset[Permission]] = frozenset().union(*_PERMISSIONS.values())
"""Every permission there is in a project: what the system administrator has."""


def permissions(role: Role) -> frozenset[Permission]:
    """What a member with this role may do."""
    return _PERMISSIONS[role]


def strongest_first(roles: Iterable[Role]) -> list[Role]:
    """The roles in the order of what they hold."""
    return sorted(roles, key=_ROLES.index)


def permissions_of(roles: Iterable[Role], *, public: bool) -> frozenset[Permission]:
    """The union of several roles, and of everybody's rights where the project is public."""
    return _union(frozenset(roles), public)


@cache
def _union(roles: frozenset[Role], public: bool) -> frozenset[Permission]:  # noqa: FBT001 - a key of the cache
    return frozenset().union(*(_PERMISSIONS[role] for role in roles), PUBLIC if public else ())


def allows(granted: frozenset[Permission], resource: str, action: str) -> bool:
    """Whether a set of permissions holds this one."""
    return (resource, action) in granted


@lru_cache(512)
def registry_actions(granted: frozenset[Permission]) -> frozenset[str]:
    """What the permissions mean in the registry's own words: some of pull, push and delete.

    A client cannot push without reading back, so push brings pull with it.
    """
    actions = set()
    if ("repository", "pull") in granted:
        actions.add("pull")
    if ("repository", "push") in granted:
        actions.update(("pull", "push"))
    if ("repository", "delete") in granted or ("artifact", "delete") in granted:
        actions.add("delete")
    return frozenset(actions)
