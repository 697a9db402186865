"""Labels as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.api.domain.label import Label


def label_view(label: Label) -> Json:
    """A label; a global one's project is 0."""
    return {
        "id": label.id,
        "name": label.name,
        "description": label.text.description,
        "color": label.text.color,
        "scope": label.scope.value,
        "project_id": label.project_id or 0,
        "creation_time": time_or_never(label.created_at),
        "update_time": time_or_never(label.updated_at),
    }
