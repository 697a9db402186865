"""A service whose handling of an event depends on the event's repository: what tests feed the consumer with."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from shared.db import unavailable_when_down
from shared.errors import Unavailable, Unprocessable
from shared.events.envelope import Envelope
from shared.messaging.consume import consume
from shared.messaging.dependencies import Configured
from shared.messaging.sessions import Database
from shared.settings import Settings

SECRET = "hunter2"
INSERT = text("INSERT INTO public.effects (event_id, size) VALUES (:id, :size) ON CONFLICT DO NOTHING")


class Recorder:
    """Writes one row an event."""

    name = "recorder"
    settings: Settings = Configured()
    sessions: sessionmaker[Session] = Database()
    calls: ClassVar[Counter[str]] = Counter()

    @consume(queue="audit", batch=20)
    def record(self, envelopes: list[Envelope]) -> None:
        with unavailable_when_down(), self.sessions() as session, session.begin():
            session.execute(text("SET LOCAL statement_timeout = '1s'"))
            for envelope in envelopes:
                session.execute(INSERT, {"id": envelope.id, "size": len(envelopes)})
                self._behave(str(envelope.event.project_name), Path(self.settings.home))

    def _behave(self, project: str, home: Path) -> None:
        if project == "poison":
            raise ValueError(f"a foreign error that tells {SECRET}")
        if project == "refused":
            raise Unprocessable("this event is not for us")
        if project == "flaky":
            self.calls[project] += 1
            if self.calls[project] <= 4:
                raise Unprocessable("not yet")
        if project == "away":
            raise Unavailable("the registry is not available right now")
        if project == "slow":
            home.joinpath("slow-begun").touch()
            time.sleep(2)
