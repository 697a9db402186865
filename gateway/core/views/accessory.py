"""Accessories as the API shows them."""

from gateway.core.writing import Json, time_or_never
from services.api.domain.accessory import Accessory


def accessory_view(accessory: Accessory) -> Json:
    """An accessory and what it is about; its number is its artifact's, and it has no icon here."""
    return {
        "id": accessory.artifact_id,
        "artifact_id": accessory.artifact_id,
        "subject_artifact_id": accessory.subject_id,
        "subject_artifact_digest": accessory.subject_digest,
        "subject_artifact_repo": accessory.repository_name,
        "digest": accessory.digest,
        "type": accessory.type,
        "size": accessory.size,
        "icon": "",
        "creation_time": time_or_never(accessory.pushed_at),
    }
