"""Members as the API shows them."""

from typing import Final

from gateway.core.writing import Json
from services.api.domain.member import Member
from shared.events.definitions.member import MemberKind

_TYPES: Final = {MemberKind.USER: "u", MemberKind.GROUP: "g"}


def member_view(member: Member) -> Json:
    """A member; the entity is the user or the group."""
    return {
        "id": member.id,
        "project_id": member.project_id,
        "entity_id": member.entity_id,
        "entity_name": member.name,
        "entity_type": _TYPES[member.kind],
        "role_id": member.role.value,
        "role_name": member.role.label,
    }
