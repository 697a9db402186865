"""Bodies about schedules of what the system has one of."""

from typing import Any

from pydantic import Field

from gateway.core.reading import Body
from shared.cron import Cron
from shared.errors import BadRequest

_BY_CRON = ("Hourly", "Daily", "Weekly", "Custom", "Schedule")


class ScheduleObjBody(Body):
    """When: at once, by a cron expression, or not at all."""

    type: str = ""
    cron: str = ""


class ScheduleBody(Body):
    """What is done when."""

    plan: ScheduleObjBody = Field(default=ScheduleObjBody(), alias="schedule")
    parameters: dict[str, Any] = Field(default={})

    @property
    def is_manual(self) -> bool:
        """Whether it is to be done at once."""
        return self.plan.type == "Manual"

    @property
    def is_none(self) -> bool:
        """Whether the schedule is to end."""
        return self.plan.type == "None"

    def cron(self) -> Cron:
        """When it recurs. Raises BadRequest where it does not."""
        if self.plan.type not in _BY_CRON:
            raise BadRequest(f"schedule.type must be one of Manual, None, {', '.join(_BY_CRON)}")
        return Cron.parse_schedule(self.plan.cron)
