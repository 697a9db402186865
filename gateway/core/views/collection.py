"""Collections of garbage, as the API shows them."""

import json

from gateway.core.writing import Json, time_or_never
from services.api.domain.collection import Collection
from services.api.domain.retention import Status
from shared.jobs import JobType


def collection_view(collection: Collection) -> Json:
    """A collection that was asked for; how far it is, and what it freed, stand among the parameters.

    The second is as in Harbor, which tells nothing of the first.
    """
    found: Json = {}
    if collection.status is Status.SUCCESS:
        found = {
            "freed_space": collection.freed,
            "purged_blobs": collection.blobs,
            "purged_manifests": collection.artifacts,
        }
    elif collection.status is Status.RUNNING and collection.progress:
        found = {"progress": collection.progress}
    shown = {**collection.parameters, **found}
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
