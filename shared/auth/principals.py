"""Who acts: a user, a robot account, somebody anonymous, or a part of the system itself."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from shared.auth.roles import Permission

SYSTEM_PREFIX: Final = "system:"
"""Names with this prefix belong to the system's own services; no account may take one."""


class PrincipalKind(StrEnum):
    """What somebody who acts is; the same words stand in events."""

    USER = "user"
    """A person's account, of the database or of a directory."""
    ROBOT = "robot"
    """A robot account of a project or of the system."""
    ANONYMOUS = "anonymous"
    """Nobody has signed in."""
    SYSTEM = "system"
    """One of the system's own services."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RobotGrant:
    """What a robot account may do in one place."""

    namespace: str
    """A project's name, `*` for every project, `/` for the system itself."""
    permissions: frozenset[Permission]

    def covers(self, project: str) -> bool:
        """Whether this grant holds in a project."""
        return self.namespace in {project, "*"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """Somebody whose identity has been established (or who is anonymous)."""

    kind: PrincipalKind
    id: int | None = None
    name: str = ""
    """The user's name, the robot's full name with prefix, or `system:<service>`; empty when anonymous."""
    is_admin: bool = False
    """Whether this is a system administrator; robots never are."""
    credential_version: int = 0
    """Raised at each change of the credential; what was remembered under an older one is void."""
    robot_grants: tuple[RobotGrant, ...] = ()

    @classmethod
    def anonymous(cls) -> Self:
        """Nobody in particular."""
        return cls(kind=PrincipalKind.ANONYMOUS)

    @classmethod
    def system(cls, service: str) -> Self:
        """One of the system's own services."""
        return cls(kind=PrincipalKind.SYSTEM, name=f"{SYSTEM_PREFIX}{service}")

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody has signed in at all."""
        return self.kind is not PrincipalKind.ANONYMOUS
