"""Statistics as the API shows them."""

from datetime import date

from gateway.core.writing import Json, given
from services.api.queries.statistic import NearlyFull
from services.audit.queries.days import DayCount


def day_view(day: date, count: DayCount | None, storage: int | None) -> Json:
    """A day; its storage is told where it was sampled."""
    return {
        "day": day.isoformat(),
        "pushes": count.pushes if count else 0,
        "pulls": count.pulls if count else 0,
    } | given(storage=storage)


def full_view(project: NearlyFull) -> Json:
    """A project that has used much of its quota."""
    return {
        "project": project.name, "used": project.used, "limit": project.limit,
        "percent": 100 * project.used // project.limit,
    }  # fmt: skip
