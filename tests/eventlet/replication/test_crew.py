"""What a process has in hand ends, whatever happens between a task's beginning and the word on its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import eventlet
import pytest
from cryptography.fernet import Fernet

from services.replication.commands import claiming
from services.replication.crew import Crew
from services.replication.tables import pools
from shared.metrics.tally import Tally
from shared.pools import beat
from tests.integration.conftest import Database
from tests.integration.replication.desk import NOW, Desk, desk_of
from tests.servers import free_port


@dataclass(frozen=True)
class Shift:
    """A crew at work beside the desk where its tasks are written down."""

    desk: Desk
    crew: Crew

    def take(self, *tags: str) -> None:
        """Begin a task a tag."""
        self.desk.execution(self.desk.policy("p"), *tags)
        with self.crew.sessions.begin() as session:
            claims = claiming.claim(session, self.crew.pool.id, free=16, now=NOW)
        assert len(claims) == len(tags)
        self.crew.take(claims)

    def tasks(self) -> list[tuple[str, UUID | None]]:
        """State and worker of each."""
        return [(row[0], row[1]) for row in self.desk.rows("SELECT state, worker FROM replication.tasks ORDER BY id")]


@pytest.fixture
def shift(database: Database) -> Iterator[Shift]:
    settings = database.settings("replication", outbound_allow=("127.0.0.0/8",))
    for name, text in (("replication/system-credential", "secret"), ("config-key", Fernet.generate_key().decode())):
        path = settings.secrets / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text)
    with desk_of(database) as desk:
        desk.rows("UPDATE replication.registries SET url = %s", f"http://127.0.0.1:{free_port()}")
        crew = Crew(settings, desk.sessions, Tally())
        with desk.sessions.begin() as session:
            beat(session, pools, crew.pool)
        yield Shift(desk, crew)


def test_what_is_let_go_before_it_has_begun_is_handed_on(shift: Shift) -> None:
    shift.take("v1", "v2", "v3")
    shift.crew.let_go()
    assert shift.tasks() == [("pending", None)] * 3
    assert shift.crew.hands == {}
    assert shift.desk.one("SELECT count(*) FROM replication.pools") == (0,)


def test_an_end_that_could_not_be_written_down_is_not_forgotten(shift: Shift) -> None:
    shift.take("v1")
    shift.desk.rows("ALTER TABLE replication.executions RENAME COLUMN stopping TO elsewhere")
    with eventlet.Timeout(20):
        while shift.crew.hands:
            eventlet.sleep(0.05)
    shift.crew._settle_all()
    shift.desk.rows("ALTER TABLE replication.executions RENAME COLUMN elsewhere TO stopping")
    assert shift.tasks() == [("running", shift.crew.pool.id)]
    assert shift.crew.is_unsure
    shift.crew.report()
    shift.crew.report()
    assert shift.tasks() == [("pending", None)]
    shift.crew.report()
    assert not shift.crew.is_unsure
