"""Collections of garbage, as the API shows them."""

import json

from gateway.core.writing import Json, time_or_never
from services.api.domain.collection import Collection
from services.api.domain.retention import Status
from shared.jobs import JobType


def collection_view(collection: Collection) -> Json:
    """A collection that was asked for; what it freed stands among the parameters, as in Harbor."""
    found = {
        "freed_space": collection.freed,
        "purged_blobs": collection.blobs,
        "purged_manifests": collection.artifacts,
    }
    shown = {**collection.parameters, **(found if collection.status is Status.SUCCESS else {})}
    return {
        "id": collection.id,
        "job_name": JobType.GARBAGE_COLLECTION,
        "job_kind": collection.trigger,
        "job_parameters": json.dumps(shown),
        "schedule": {"type": collection.trigger.capitalize()},
        "job_status": collection.status,
        "deleted": False,
        "creation_time": time_or_never(collection.created_at),
        "update_time": time_or_never(collection.updated_at),
    }
