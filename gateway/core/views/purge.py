"""Purges of the audit record, as the API shows them."""

import json

from gateway.core.writing import Json, time_or_never
from services.api.domain.audit_purge import AuditPurge
from services.api.domain.schedule import Schedule
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


def purge_schedule_view(schedule: Schedule | None) -> Json:
    """The schedule; nothing where there is none."""
    if schedule is None:
        return {}
    return {
        "id": schedule.id,
        "job_name": "",
        "job_kind": schedule.cron,
        "job_parameters": json.dumps(schedule.parameters),
        "schedule": {
            "type": schedule.cron_type,
            "cron": schedule.cron,
            "next_scheduled_time": time_or_never(schedule.next_at),
        },
        "job_status": "",
        "deleted": False,
        "creation_time": time_or_never(schedule.created_at),
        "update_time": time_or_never(schedule.updated_at),
    }
