"""Who sleeps until there is something to do is told at the commit; whoever misses it looks by himself soon."""

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

CHANNEL: Final = "breakwater_replication"
"""Notified when something is to be begun."""
TASKS: Final = "breakwater_replication_tasks"
"""Notified when there are tasks that nobody has taken."""


def wake(session: Session) -> None:
    """Tell the engine that something is to be begun."""
    session.execute(select(func.pg_notify(CHANNEL, "")))


def wake_workers(session: Session) -> None:
    """Tell workers that there are tasks."""
    session.execute(select(func.pg_notify(TASKS, "")))
