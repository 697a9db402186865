"""`events parked` and `events dead-letters` as an operator types them, against a real database and broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, LiteralString
from uuid import uuid4

import pytest
from typer.testing import CliRunner, Result

from compose.cli.events import app
from shared.errors import BreakwaterError, ConfigurationError, Unavailable
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.postgres import connect
from tests.clients.notifications import body_of, event
from tests.integration.broker import Broker, environment, eventually
from tests.integration.conftest import Database
from tests.sentences import words_said

Run = Callable[..., Result]


@pytest.fixture
def run(database: Database, rabbit: Broker, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Types `breakwater events …`."""
    for name, value in environment(database.settings("owner", amqp_port=rabbit.port)).items():
        if name.startswith("BREAKWATER_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


def park(database: Database, body: bytes, reason: str) -> str:
    with connect(database.settings("intake")) as connection:
        row = connection.execute(
            "INSERT INTO events.parked (reason, body, address) VALUES (%s, %s, '127.0.0.1') RETURNING id::text",
            (reason, body),
        ).fetchone()
    assert row is not None
    return str(row[0])


def count(database: Database, query: LiteralString) -> int:
    with database.superuser() as connection:
        return int((connection.execute(query).fetchone() or (0,))[0])


def told(database: Database) -> list[tuple[str, str, dict[str, object]]]:
    """The events that wait in the outbox: what happened, who did it, and what is said of it."""
    with database.superuser() as connection:
        bodies = [row[0] for row in connection.execute("SELECT body FROM events.outbox ORDER BY id")]
    return [
        (
            body["type"].removeprefix("breakwater.").removesuffix(".v1"),
            body["actor"],
            {name: value for name, value in body["data"].items() if name not in {"client", "request_id"}},
        )
        for body in bodies
    ]


def refusal(result: Result) -> BreakwaterError:
    assert isinstance(result.exception, BreakwaterError), result.output
    return result.exception


class TestParked:
    def test_they_are_listed_with_their_reasons(self, run: Run, database: Database) -> None:
        parked = park(database, b"{]", "the body is not JSON")
        for arguments in (["parked"], ["parked", "list"]):
            listed = run(*arguments)
            assert listed.exit_code == 0
            assert parked in listed.output
            assert "the body is not JSON" in listed.output
        assert json.loads(run("parked", "list", "--json").output)["id"] == parked

    def test_of_a_long_list_the_newest_are_listed(
        self, run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("compose.cli.events.MOST_LISTED", 1)
        old, new = park(database, b"1", "-"), park(database, b"2", "-")
        listed = run("parked").output
        assert new in listed
        assert old not in listed
        assert "the newest 1 of 2 are shown" in listed

    def test_an_empty_list_says_so(self, run: Run) -> None:
        assert "no notification is parked" in run("parked").output

    def test_one_is_shown_harmlessly(self, run: Run, database: Database) -> None:
        shown = run("parked", "show", park(database, b"\x1b[31m[bold]\x00\xff", "[red]odd[/red]"))
        assert shown.exit_code == 0
        assert "[red]odd[/red]" in shown.output
        assert "[bold]" in shown.output
        assert "\x1b" not in shown.output

    def test_what_can_be_read_by_now_is_taken_in_once(self, run: Run, database: Database) -> None:
        body = body_of(event("push", "library/app", tag="v1"))
        first, second = park(database, body, "an older version"), park(database, body, "an older version")
        _, *words = words_said("./breakwater events parked retry UUID", {"UUID": first})
        assert "new events: 1" in run(*words).output
        assert "new events: 0" in run("parked", "retry", second).output
        assert count(database, "SELECT count(*) FROM events.outbox WHERE type LIKE 'breakwater.artifact.%'") == 1
        assert count(database, "SELECT count(*) FROM events.parked") == 0
        taken_in = [each for each in told(database) if each[0] == "parked_notification.accepted"]
        assert taken_in == [
            ("parked_notification.accepted", "system:operator",
             {"parked_id": parked, "reason": "an older version", "events": events})
            for parked, events in ((first, 1), (second, 0))
        ]  # fmt: skip

    def test_what_is_still_malformed_stays(self, run: Run, database: Database) -> None:
        done = run("parked", "retry", park(database, b"{]", "the body is not JSON"))
        assert "still cannot be accepted: the body is not JSON" in refusal(done).sentence
        assert count(database, "SELECT count(*) FROM events.parked") == 1

    def test_what_is_discarded_is_gone(self, run: Run, database: Database) -> None:
        parked = park(database, b"{]", "-")
        _, *words = words_said("./breakwater events parked discard UUID", {"UUID": parked})
        assert run(*words).exit_code == 0
        assert count(database, "SELECT count(*) FROM events.parked") == 0
        discarded = ("parked_notification.discarded", "system:operator", {"parked_id": parked, "reason": "-"})
        assert told(database) == [discarded]

    @pytest.mark.parametrize("verb", ["show", "retry", "discard"])
    def test_an_unknown_id_is_one_sentence(self, run: Run, verb: str) -> None:
        unknown = str(uuid4())
        assert refusal(run("parked", verb, unknown)).sentence == f"no parked notification has the id {unknown}"

    def test_an_id_that_is_none_is_wrong_usage(self, run: Run) -> None:
        assert run("parked", "show", "7").exit_code == 2


class TestDeadLetters:
    def bury(self, rabbit: Broker, **headers: Any) -> str:  # noqa: ANN401
        letter = str(uuid4())
        outgoing = Outgoing(
            exchange="audit.dead-letters",
            routing_key="",
            body=b'{"some": "body"}',
            properties={"message_id": letter, "application_headers": headers},
        )
        with connected(rabbit.settings("audit")) as connection:
            Publisher(connection).publish([outgoing])
        return letter

    def test_they_are_listed_with_their_reasons(self, run: Run, rabbit: Broker) -> None:
        headers = {"x-breakwater-error-code": "ODD", "x-breakwater-error": "the tag is odd", "x-breakwater-attempts": 5}
        letter = self.bury(rabbit, **headers)
        for arguments in (["dead-letters"], ["dead-letters", "list", "--queue", "audit"]):
            listed = run(*arguments)
            assert listed.exit_code == 0
            assert letter in listed.output
            assert "the tag is odd (ODD)" in listed.output
        assert json.loads(run("dead-letters", "list", "--json").output)["attempts"] == 5
        assert "there are no dead letters" in run("dead-letters", "list", "--queue", "metadata").output

    def test_what_the_broker_gave_up_has_a_reason_too(self, run: Run, rabbit: Broker) -> None:
        self.bury(rabbit)
        assert "too many deliveries" in run("dead-letters").output

    def test_one_is_shown_with_its_body(self, run: Run, rabbit: Broker) -> None:
        assert '{"some": "body"}' in run("dead-letters", "show", self.bury(rabbit)).output
        assert "unheard-of" in refusal(run("dead-letters", "show", "unheard-of")).sentence

    def test_they_are_sent_back_and_thrown_away(self, run: Run, rabbit: Broker) -> None:
        first, second, third = (self.bury(rabbit) for _ in range(3))
        assert "sent back to audit: 1" in run("dead-letters", "redrive", "--queue", "audit", first).output
        assert "discarded: 1" in run("dead-letters", "discard", "--queue", "audit", second).output
        _, *words = words_said("./breakwater events dead-letters redrive --queue QUEUE", {"QUEUE": "audit"})
        assert "sent back to audit: 1" in run(*words).output
        eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (2, 0))
        assert third in refusal(run("dead-letters", "discard", "--queue", "audit", third)).sentence

    def test_what_was_done_is_recorded_as_the_operators(self, run: Run, rabbit: Broker, database: Database) -> None:
        first, *_ = (self.bury(rabbit) for _ in range(3))
        run("dead-letters", "discard", "--queue", "audit", first)
        run("dead-letters", "redrive", "--queue", "audit")
        run("dead-letters", "redrive", "--queue", "audit")
        assert told(database) == [
            ("dead_letter.discarded", "system:operator", {"queue": "audit", "count": 1}),
            ("dead_letter.redriven", "system:operator", {"queue": "audit", "count": 2}),
        ]

    def test_what_cannot_be_recorded_is_not_done(
        self, run: Run, rabbit: Broker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.bury(rabbit)
        eventually(lambda: rabbit.depth("audit.dead-letters"), 1)
        monkeypatch.setenv("BREAKWATER_DATABASE_PORT", "9")
        assert isinstance(refusal(run("dead-letters", "redrive", "--queue", "audit")), Unavailable)
        eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (0, 1))

    def test_an_unknown_queue_is_wrong_usage(self, run: Run) -> None:
        assert run("dead-letters", "list", "--queue", "unheard-of").exit_code == 2


def test_a_broker_that_is_away_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_AMQP_PORT", "9")
    assert isinstance(refusal(run("dead-letters")), Unavailable)


def test_a_database_that_is_away_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_DATABASE_PORT", "9")
    assert isinstance(refusal(run("parked")), Unavailable)


def test_a_home_that_is_none_is_one_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BREAKWATER_HOME")
    assert isinstance(refusal(run("parked")), ConfigurationError)
