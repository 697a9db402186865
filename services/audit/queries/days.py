"""Pushes and pulls by day, out of what is counted while recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ARRAY, Date, Text, cast, column, func, literal, select
from sqlalchemy.orm import Session

from services.audit.tables import days


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCount:
    """What happened on a day, in UTC."""

    pushes: int
    pulls: int


def count_days(session: Session, *, since: date, projects: Mapping[str, datetime] | None) -> dict[date, DayCount]:
    """The days from one on that anything happened on, in some projects or, None, in all.

    Of a project no day counts from before the time that its name is its own.
    """
    counted = select(days.c.day, func.sum(days.c.pushes).label("pushes"), func.sum(days.c.pulls).label("pulls"))
    if projects is None:
        counted = counted.where(days.c.project == "")
    else:
        scope = (
            func.unnest(
                literal(list(projects), ARRAY(Text)),
                literal([moment.date() for moment in projects.values()], ARRAY(Date)),
            )
            .table_valued(column("name", Text), column("since", Date))
            .render_derived("scope")
        )
        counted = counted.join_from(scope, days, (days.c.project == scope.c.name) & (days.c.day >= scope.c.since))
    rows = session.execute(counted.where(days.c.day >= cast(since, Date)).group_by(days.c.day))
    return {row.day: DayCount(pushes=int(row.pushes), pulls=int(row.pulls)) for row in rows}
