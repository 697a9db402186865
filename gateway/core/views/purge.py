"""Purges of the audit record, as the API shows them."""

import json

from gateway.core.writing import Json, time_or_never
from services.api.domain.audit_purge import AuditPurge
from shared.jobs import JobType


def purge_view(purge: AuditPurge) -> Json:
    """A purge that was asked for."""
    return {
        "id": purge.id,
        "job_name": JobType.PURGE_AUDIT_LOG,
        "job_kind": purge.trigger,
        "job_parameters": json.dumps(purge.parameters),
        "schedule": {"type": purge.trigger.capitalize()},
        "job_status": purge.status,
        "deleted": False,
        "creation_time": time_or_never(purge.created_at),
        "update_time": time_or_never(purge.updated_at),
    }
