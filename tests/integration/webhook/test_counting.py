"""What the intake and the relay count of their work."""

from __future__ import annotations

from pathlib import Path

from tests.clients.notifications import event
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.told import told
from tests.integration.webhook.conftest import Intake
from tests.integration.webhook.relaying import head, relay, write


def test_the_intake_counts_how_notifications_end(own_intake: Intake) -> None:
    assert own_intake.send(event("push", "library/app", tag="v1"))[0] == 200
    assert own_intake.post(b"no json")[0] == 200
    assert own_intake.post(b"{}", Authorization="Bearer wrong")[0] == 401
    own_intake.close()
    assert own_intake.process.terminate() == 0
    figures = told(own_intake.database, "intake")
    outcomes = {key[1]: value for key, value in figures.items() if key[0] == "notifications"}
    assert outcomes == {"taken": 2, "parked": 1, "refused": 1}
    answers = {key[1:]: value for key, value in figures.items() if key[0] == "http_requests"}
    assert answers["notifications", "POST", "200"] == 2
    assert answers["notifications", "POST", "401"] == 1
    assert {key[0] for key in answers} <= {"notifications", "watch"}
    assert figures["http_request_seconds", "notifications", "sum"] > 0


def test_the_relay_counts_what_the_broker_has_confirmed_by_type(
    database: Database, rabbit: Broker, tmp_path: Path
) -> None:
    with database.superuser() as connection:
        write(connection, 3)
        write(connection, 2, kind="artifact.deleted")
    with relay(database, rabbit, tmp_path / "relay") as process:
        eventually(lambda: head(database), (5, 5))
        assert process.terminate() == 0
    assert told(database, "relay") == {
        ("events_published", "breakwater.artifact.pushed.v1"): 3,
        ("events_published", "breakwater.artifact.deleted.v1"): 2,
    }
