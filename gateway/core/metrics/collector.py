"""What a component of the metrics has to say."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from prometheus_client import Metric
from sqlalchemy.orm import Session

from shared.auth.roles import Permission


class Collector(Protocol):
    """A component: several processes that serve it tell the same, for all ask the same database."""

    @property
    def needs(self) -> tuple[Permission, ...]:
        """What a robot account must have been given to see it: whatever shows the same in the API."""

    def families(self, session: Session, *, now: datetime) -> Iterable[Metric]:
        """Its metrics, by a number of statements that does not grow with what there is."""
