"""The broker's queues and dead letters through the API, against a real broker, and while there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from socket import SHUT_RDWR
from uuid import uuid4

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from shared.auth.login import build_login
from shared.db import engine
from shared.errors import Unprocessable
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.settling import Delivery, dead_letter
from shared.messaging.topology import AUDIT
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.described import OwnDescription
from tests.integration.core.people import ADMIN, NOBODY, Api, sentence
from tests.servers import free_port

QUEUES = "/system/queues"
LETTERS = "/system/queues/audit/dead_letters"


@pytest.fixture(scope="module")
def api(core_database: Database, session_broker: Broker) -> Iterator[Api]:
    settings = core_database.settings("core", amqp_port=session_broker.port)
    bind = engine(settings, pool_size=12)
    login = build_login(settings, bind)
    yield Api(TestClient(build(settings, bind, login)), core_database)
    login.ldap.close()
    bind.dispose()


def bury(rabbit: Broker, *bodies: bytes) -> list[str]:
    """Put letters among audit's dead; their ids."""
    ids = [str(uuid4()) for _ in bodies]
    letters = [
        dead_letter(
            AUDIT,
            Delivery(tag=0, body=body, routing_key="artifact.pushed.p", properties={"message_id": each}),
            Unprocessable("the tag is odd"),
            now=datetime.now(UTC),
        )
        for each, body in zip(ids, bodies, strict=True)
    ]
    with connected(rabbit.settings("audit")) as connection:
        Publisher(connection).publish(letters)
    return ids


def test_every_queue_is_told_in_numbers(api: Api, rabbit: Broker) -> None:
    bury(rabbit, b"1", b"2")
    eventually(lambda: {each["name"]: each["dead_letters"] for each in api.get(QUEUES).json}["audit"], 2)
    answer = api.get(QUEUES)
    assert [each["name"] for each in answer.json] == ["audit", "metadata", "webhook", "replication"]
    assert {(each["waiting"], each["consumers"], each["retrying"]) for each in answer.json} == {(0, 0, 0)}
    OwnDescription(api.get("/openapi.json", NOBODY).json).check("GET", QUEUES, answer)


def test_letters_are_listed_shown_and_stay(api: Api, rabbit: Broker) -> None:
    ids = bury(rabbit, b'{"a": 1}', b"\xff")
    described = OwnDescription(api.get("/openapi.json", NOBODY).json)
    for _ in range(3):
        answer = api.get(LETTERS)
        assert [each["id"] for each in answer.json] == ids
    described.check("GET", "/system/queues/{queue}/dead_letters", answer)
    assert (answer.json[0]["reason"], answer.json[0]["attempts"]) == ("the tag is odd", 1)
    opened = [api.get(f"{LETTERS}/{each}") for each in ids]
    assert [each.json["body"] for each in opened] == ['{"a": 1}', "\ufffd"]
    described.check("GET", "/system/queues/{queue}/dead_letters/{letter_id}", opened[0])
    assert api.get(f"{LETTERS}/absent").status_code == 404


def test_letters_are_sent_back_or_thrown_away(api: Api, rabbit: Broker) -> None:
    one, two, three = bury(rabbit, b"1", b"2", b"3")
    answer = api.send("POST", LETTERS, ADMIN, {"action": "redrive", "ids": [two]})
    assert answer.json == {"count": 1}
    eventually(lambda: rabbit.depth("audit"), 1)
    assert rabbit.take("audit").properties["message_id"] == two
    assert api.send("POST", LETTERS, ADMIN, {"action": "discard", "ids": [one]}).json == {"count": 1}
    assert [each["id"] for each in api.get(LETTERS).json] == [three]
    assert api.send("POST", LETTERS, ADMIN, {"action": "redrive"}).json == {"count": 1}
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (1, 0))


def recorded(api: Api) -> list[tuple[str, str, str, int]]:
    """Who did what with how many letters of which queue, by the events that wait in the outbox."""
    return [
        (event["actor"], verb, event["data"]["queue"], event["data"]["count"])
        for verb in ("redriven", "discarded")
        for event in api.events(f"dead_letter.{verb}")
    ]


def test_what_was_done_with_letters_is_an_event_of_whoever_did_it(api: Api, rabbit: Broker) -> None:
    one, *_ = bury(rabbit, b"1", b"2", b"3")
    boss = api.user(admin=True)
    before = len(api.events("dead_letter.redriven")), len(api.events("dead_letter.discarded"))
    api.send("POST", LETTERS, boss, {"action": "discard", "ids": [one]})
    api.send("POST", LETTERS, ADMIN, {"action": "redrive"})
    api.send("POST", LETTERS, ADMIN, {"action": "redrive"})
    assert {(boss.name, "discarded", "audit", 1), ("admin", "redriven", "audit", 2)} <= set(recorded(api))
    after = len(api.events("dead_letter.redriven")), len(api.events("dead_letter.discarded"))
    assert after == (before[0] + 1, before[1] + 1), "what found nothing to do is no event"


def test_what_was_done_until_the_broker_went_away_is_an_event_too(
    api: Api, rabbit: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(rabbit, b"1", b"2", b"3")
    before, publish, sent = len(api.events("dead_letter.redriven")), Publisher.publish, []

    def publish_two(self: Publisher, messages: Sequence[Outgoing]) -> None:
        if len(sent) == 2:
            self._connection.transport.sock.shutdown(SHUT_RDWR)
        publish(self, messages)
        sent.append(messages)

    monkeypatch.setattr(Publisher, "publish", publish_two)
    assert api.send("POST", LETTERS, ADMIN, {"action": "redrive"}).status_code == 503
    assert [each["data"]["count"] for each in api.events("dead_letter.redriven")[before:]] == [2]
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (2, 1))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"action": "burn"}, 400),
        ({"action": "discard"}, 400),
        ({"action": "discard", "ids": []}, 400),
        ({"action": "discard", "ids": ["absent"]}, 404),
        ({"action": "redrive", "ids": ["absent"]}, 404),
    ],
)
def test_what_makes_no_sense_changes_nothing(api: Api, rabbit: Broker, body: object, status: int) -> None:
    bury(rabbit, b"1")
    before = recorded(api)
    assert api.send("POST", LETTERS, ADMIN, body).status_code == status
    assert recorded(api) == before
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (0, 1))


def test_other_queues_are_not_there(api: Api) -> None:
    for queue in ("events.replay", "audit.retry.1s", "nothing"):
        assert api.get(f"/system/queues/{queue}/dead_letters").status_code == 404


def test_while_the_broker_is_away_that_is_told_and_the_rest_goes_on(core_database: Database) -> None:
    settings = core_database.settings("core", amqp_port=free_port())
    bind = engine(settings, pool_size=2)
    login = build_login(settings, bind)
    api = Api(TestClient(build(settings, bind, login)), core_database)
    answers = [api.get(path) for path in (QUEUES, LETTERS)]
    assert {each.status_code for each in answers} == {503}
    assert sentence(answers[0]) == "the broker is not available right now: events wait, and arrive when it is back"
    assert api.get("/projects").status_code == 200
    login.ldap.close()
    bind.dispose()
