"""Schedules as the API shows them."""

from typing import Final

from gateway.core.writing import Json, time_or_never
from services.api.domain.schedule import Schedule, ScheduleKind
from shared.jobs import JobType

VENDORS: Final = {ScheduleKind.RETENTION: JobType.RETENTION, ScheduleKind.AUDIT_PURGE: JobType.PURGE_AUDIT_LOG}
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
