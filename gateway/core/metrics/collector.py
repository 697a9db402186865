"""What a component of the metrics has to say, and what one scrape lends to all of them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Final, Protocol

from prometheus_client import Metric
from sqlalchemy.orm import Session

from gateway.core.metrics.family import Family
from gateway.core.metrics.probes import Findings, Prober, Questions
from shared.auth.roles import Permission
from shared.metrics.queries import ToldFigure, told_figures

READ: Final[Permission] = ("metrics", "read")
"""Opens every component to a robot account of the system."""


class Scrape:
    """One answer: what several components need is asked once."""

    def __init__(self, session: Session, prober: Prober, now: datetime) -> None:
        self.session = session
        self.now = now
        self._prober = prober

    @cached_property
    def told(self) -> Sequence[ToldFigure]:
        """What the parts have told of themselves."""
        return told_figures(self.session)

    @cached_property
    def questions(self) -> Questions:
        """To the parts that are no Python of ours: asked for early, they are under way while the database is read."""
        return self._prober.ask()

    @cached_property
    def findings(self) -> Findings:
        """What those parts answer."""
        return self.questions.findings()


class Collector(Protocol):
    """A component: several processes that serve it tell the same, for all ask the same."""

    @property
    def asks_parts(self) -> bool:
        """Whether it needs the scrape's findings, and is read after those that do not."""

    @property
    def needs(self) -> tuple[Permission, ...]:
        """What a robot account without READ must have been given to see it: whatever shows the same in the API."""

    @property
    def catalogue(self) -> Sequence[Family]:
        """All that it may tell."""

    def families(self, scrape: Scrape) -> Iterable[Metric]:
        """Its metrics, by a number of statements that does not grow with what there is."""
