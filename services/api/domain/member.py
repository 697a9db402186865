"""Members: which user or group has which role in a project."""

from dataclasses import dataclass
from datetime import datetime

from shared.auth.roles import Role
from shared.errors import BadRequest
from shared.events.definitions.member import MemberKind


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """The role of a user or a group in a project."""

    id: int
    project_id: int
    kind: MemberKind
    entity_id: int
    """The number of the user or the group."""
    name: str
    role: Role
    created_at: datetime


def parse_role(number: int) -> Role:
    """The role of a number. Raises BadRequest."""
    try:
        return Role(number)
    except ValueError as error:
        known = ", ".join(f"{role.value} {role.label}" for role in Role)
        raise BadRequest(f"role_id {number} is none of {known}") from error
