"""Dead letters as an operator handles them, on a real broker."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.errors import Unprocessable
from shared.messaging import dead_letters
from shared.messaging.connection import connected
from shared.messaging.dead_letters import NoSuchDeadLetter, discard, list_dead_letters, redrive
from shared.messaging.publish import Publisher
from shared.messaging.settling import Delivery, dead_letter
from shared.messaging.topology import AUDIT
from tests.integration.broker import Broker, eventually
from tests.integration.messaging.conftest import Bench


def bury(rabbit: Broker, count: int) -> list[str]:
    """Put letters among audit's dead; their ids."""
    ids = [str(uuid4()) for _ in range(count)]
    letters = [
        dead_letter(
            AUDIT,
            Delivery(tag=0, body=b"{}", routing_key="artifact.pushed.p", properties={"message_id": each}),
            Unprocessable("the tag is odd"),
            now=datetime.now(UTC),
        )
        for each in ids
    ]
    with connected(rabbit.settings("audit")) as connection:
        Publisher(connection).publish(letters)
    return ids


def test_they_are_listed_in_order_with_their_reasons_and_stay(rabbit: Broker) -> None:
    ids = bury(rabbit, 3)
    for _ in range(20):
        with connected(rabbit.settings("owner")) as connection:
            letters = list_dead_letters(connection, AUDIT)
        assert [letter.id for letter in letters] == ids
    assert {(letter.code, letter.reason, letter.attempts) for letter in letters} == {
        ("UNPROCESSABLE_ENTITY", "the tag is odd", 1)
    }
    assert {letter.routing_key for letter in letters} == {"artifact.pushed.p"}
    eventually(lambda: rabbit.depth("audit.dead-letters"), 3)


def test_one_is_sent_back_with_all_attempts_before_it(rabbit: Broker) -> None:
    ids = bury(rabbit, 3)
    with connected(rabbit.settings("owner")) as connection:
        assert redrive(connection, AUDIT, [ids[1]]) == 1
    eventually(lambda: rabbit.depth("audit.dead-letters"), 2)
    again = Delivery.of(rabbit.take("audit"))
    assert again.properties["message_id"] == ids[1]
    assert again.attempts == 0
    assert again.routing_key == "artifact.pushed.p"


def test_all_are_sent_back_where_none_is_named(rabbit: Broker) -> None:
    bury(rabbit, 5)
    with connected(rabbit.settings("owner")) as connection:
        assert redrive(connection, AUDIT, None) == 5
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (5, 0))


def test_all_are_all_also_where_they_are_more_than_one_look_shows(
    rabbit: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MOST_READ", 4)
    bury(rabbit, 11)
    with connected(rabbit.settings("owner")) as connection:
        assert redrive(connection, AUDIT, None) == 11
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (11, 0))


def test_an_unknown_id_changes_nothing(rabbit: Broker) -> None:
    ids = bury(rabbit, 2)
    with connected(rabbit.settings("owner")) as connection:
        with pytest.raises(NoSuchDeadLetter, match="unheard-of"):
            redrive(connection, AUDIT, [ids[0], "unheard-of"])
        with pytest.raises(NoSuchDeadLetter):
            discard(connection, AUDIT, ["unheard-of"])
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (0, 2))


def test_what_is_discarded_is_gone(rabbit: Broker) -> None:
    ids = bury(rabbit, 3)
    with connected(rabbit.settings("owner")) as connection:
        assert discard(connection, AUDIT, ids[:2]) == 2
    eventually(lambda: (rabbit.depth("audit"), rabbit.depth("audit.dead-letters")), (0, 1))


def test_a_letter_sent_back_has_its_effect_at_last(bench: Bench) -> None:
    ids = bench.publish("refused")
    with bench.recorder():
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 1, seconds=90)
        with connected(bench.rabbit.settings("owner")) as connection:
            [letter] = list_dead_letters(connection, AUDIT)
            assert letter.id == str(ids[0])
            assert letter.attempts == 5
            assert redrive(connection, AUDIT, [letter.id]) == 1
        eventually(lambda: bench.rabbit.depth("audit.dead-letters"), 1, seconds=90)
