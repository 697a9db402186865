"""Schedules as the API shows them."""

import json
from typing import Final

from gateway.core.writing import Json, time_or_never
from services.api.domain.schedule import Schedule, ScheduleKind
from shared.jobs import JobType

VENDORS: Final = {
    ScheduleKind.RETENTION: JobType.RETENTION,
    ScheduleKind.AUDIT_PURGE: JobType.PURGE_AUDIT_LOG,
    ScheduleKind.GARBAGE_COLLECTION: JobType.GARBAGE_COLLECTION,
}
"""Harbor's words for what recurs."""


def schedule_view(schedule: Schedule) -> Json:
    """A schedule: of what kind, and of which policy."""
    return {
        "id": schedule.id,
        "vendor_type": VENDORS[schedule.kind],
        "vendor_id": schedule.owner_id,
        "cron": schedule.cron,
        "update_time": time_or_never(schedule.updated_at),
    }


def job_schedule_view(schedule: Schedule | None) -> Json:
    """The schedule of what the system has one of; nothing where there is none."""
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
