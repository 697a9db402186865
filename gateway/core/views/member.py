"""Members as the API shows them."""

from gateway.core.writing import Json
from services.api.domain.member import Member


def member_view(member: Member) -> Json:
    """A member; the entity is the user."""
    return {
        "id": member.id,
        "project_id": member.project_id,
        "entity_id": member.user_id,
        "entity_name": member.username,
        "entity_type": "u",
        "role_id": member.role.value,
        "role_name": member.role.label,
    }
