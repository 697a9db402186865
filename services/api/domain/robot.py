"""Robot accounts: the record, the rights they may hold, their names and their end."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.api.domain.user import check_password
from services.api.errors import UnfitRobot
from shared.auth.principals import PrincipalKind
from shared.auth.roles import EVERYTHING, Permission
from shared.secrets import Secret

FOREVER: Final = -1
"""The duration of a robot account that does not expire."""
AS_CONFIGURED: Final = 0
"""The duration of one that lasts as long as the configuration says."""
SYSTEM_NAMESPACE: Final = "/"
EVERY_PROJECT: Final = "*"

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_MAX_NAME: Final = 255
_MAX_DESCRIPTION: Final = 1_024
_MAX_DAYS: Final = 36_500
_MAX_PERMISSIONS: Final = 200


class Level(StrEnum):
    """Where a robot account lives."""

    SYSTEM = "system"
    """Beside all projects; only administrators make one."""
    PROJECT = "project"
    """In one project, whose administrators make it."""


class Scope(StrEnum):
    """What a permission of a robot account is about."""

    SYSTEM = "system"
    """The system, its namespace is `/`."""
    PROJECT = "project"
    """A project, named by the namespace; `*` stands for every project."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotPermission:
    """What a robot account may do in one place."""

    scope: Scope
    namespace: str
    access: frozenset[Permission]


@dataclass(frozen=True, kw_only=True, slots=True)
class Robot:
    """A robot account, without its secret."""

    id: int
    name: str
    """As stored: `project+name`, or the plain name at system level."""
    project_id: int | None
    project: str | None
    description: str
    permissions: tuple[RobotPermission, ...]
    duration_days: int
    expires_at: datetime | None
    disabled: bool
    creator_kind: PrincipalKind | None
    """A user or a robot account; None where that is not known any more."""
    creator_id: int | None
    created_at: datetime
    updated_at: datetime

    @property
    def level(self) -> Level:
        """Where it lives."""
        return Level.SYSTEM if self.project_id is None else Level.PROJECT


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRobot:
    """A robot account to be made."""

    name: str
    description: str
    duration_days: int
    disabled: bool
    permissions: tuple[RobotPermission, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotChange:
    """A robot account as it shall be; what can be None stays as it is."""

    description: str = ""
    disabled: bool = False
    duration_days: int | None = None
    permissions: tuple[RobotPermission, ...] | None = None


def _pairs(table: dict[str, str]) -> frozenset[Permission]:
    return frozenset((resource, action) for resource, actions in table.items() for action in actions.split())


PROJECT_ACCESS: Final[frozenset[Permission]] = EVERYTHING - {("robot", "update")}
"""What a robot account may be given in a project."""

SYSTEM_ACCESS: Final[frozenset[Permission]] = _pairs(
    {
        "audit-log": "list",
        "catalog": "read",
        "garbage-collection": "create list read stop update",
        "jobservice-monitor": "list stop",
        "label": "create delete read update",
        "ldap-user": "create list",
        "metrics": "read",
        "preheat-instance": "create delete list read update",
        "project": "create list",
        "purge-audit": "create list read stop update",
        "quota": "list read update",
        "registry": "create delete list read update",
        "replication": "create list read",
        "replication-adapter": "list",
        "replication-policy": "create delete list read update",
        "robot": "create delete list read",
        "scan-all": "create read stop update",
        "scanner": "create delete list read update",
        "security-hub": "list read",
        "system-volumes": "read",
        "user": "create delete list read update",
        "user-group": "create delete list read update",
    }
)
"""What a robot account of the system may be given beyond projects."""


def check_name(name: str) -> str:
    """The name itself, without prefix and project. Raises UnfitRobot."""
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise UnfitRobot("the name must be lower case letters and digits, separated by one of '.', '_', '-'")
    return name


def check_description(text: str) -> str:
    """The description itself. Raises UnfitRobot."""
    if len(text) > _MAX_DESCRIPTION:
        raise UnfitRobot(f"the description must have at most {_MAX_DESCRIPTION} characters")
    return text


def expiry(created_at: datetime, days: int) -> datetime | None:
    """When a robot account ends, None where it never does. Raises UnfitRobot for a duration that makes no sense."""
    if days == FOREVER:
        return None
    if not 0 < days <= _MAX_DAYS:
        raise UnfitRobot(f"the duration must be -1 (never expires) or from 1 to {_MAX_DAYS} days")
    return created_at + timedelta(days=days)


def check_permissions(
    permissions: Iterable[RobotPermission], *, level: Level, project: str | None
) -> tuple[RobotPermission, ...]:
    """The permissions of one place merged into one. Raises UnfitRobot where one cannot be given at this level."""
    merged: dict[tuple[Scope, str], frozenset[Permission]] = {}
    for each in permissions:
        _check_permission(each)
        place = (each.scope, each.namespace)
        merged[place] = merged.get(place, frozenset()) | each.access
    if not merged:
        raise UnfitRobot("a robot account needs at least one permission")
    if len(merged) > _MAX_PERMISSIONS:
        raise UnfitRobot(f"a robot account takes permissions in at most {_MAX_PERMISSIONS} places")
    if level is Level.PROJECT and set(merged) != {(Scope.PROJECT, project)}:
        raise UnfitRobot("a robot account of a project takes one permission, of that very project")
    return tuple(
        RobotPermission(scope=scope, namespace=namespace, access=access)
        for (scope, namespace), access in merged.items()
    )


def check_secret(secret: Secret) -> Secret:
    """A secret that was chosen by hand keeps the rule of passwords. Raises UnfitUser."""
    return check_password(secret)


def _check_permission(permission: RobotPermission) -> None:
    system = permission.scope is Scope.SYSTEM
    if system and permission.namespace != SYSTEM_NAMESPACE:
        raise UnfitRobot("a permission of kind system has the namespace /")
    if not permission.access:
        raise UnfitRobot(f"the permission in {permission.namespace[:80]!r} gives no access")
    unknown = permission.access - (SYSTEM_ACCESS if system else PROJECT_ACCESS)
    if unknown:
        resource, action = min(unknown)
        place = "the system" if system else "a project"
        raise UnfitRobot(f"a robot account cannot be given {resource[:40]}:{action[:40]} in {place}")
