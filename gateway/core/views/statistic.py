"""Statistics as the API shows them."""

from datetime import date

from gateway.core.writing import Json, given
from services.audit.queries.days import DayCount


def day_view(day: date, count: DayCount | None, storage: int | None) -> Json:
    """A day; its storage is told where it was sampled."""
    return {
        "day": day.isoformat(),
        "pushes": count.pushes if count else 0,
        "pulls": count.pulls if count else 0,
    } | given(storage=storage)
