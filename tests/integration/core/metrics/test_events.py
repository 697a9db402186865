"""What Prometheus is told of events: what waits in the outbox, in queues, and how far consumers are behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import amqp
import pytest

from shared.events import Event
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.definitions.user import UserLoggedIn
from shared.metrics.figures import HANDLED_THROUGH
from shared.metrics.tally import Tally
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.metrics.scraping import rows, scrape, serving, tell, values
from tests.integration.core.people import Api
from tests.servers import free_port, wait_for


def test_what_waits_in_the_outbox_and_for_the_broker_is_told_with_its_age(api: Api) -> None:
    for name in ("outbox_events", "outbox_oldest_seconds", "unpublished_oldest_seconds"):
        assert values(api, name) == {"": 0}
    rows(api.database, """
        INSERT INTO events.outbox (event_id, type, routing_key, body, created_at)
        SELECT gen_random_uuid(), 'a', 'a', '{}', now() - interval '1 hour' * n FROM generate_series(1, 3) AS n
    """)
    log_events(api.database, UserLoggedIn, [1, 2, 3], ago=timedelta(minutes=10))
    rows(api.database, "UPDATE events.relay SET last_sequence = 3, published_through = 1")
    assert values(api, "outbox_events") == {"": 3}
    assert values(api, "outbox_oldest_seconds")[""] == pytest.approx(3600, abs=30)
    assert values(api, "event_sequence", "step") == {"numbered": 3, "published": 1}
    assert values(api, "unpublished_oldest_seconds")[""] == pytest.approx(600, abs=30)


def test_very_many_events_in_the_outbox_are_counted_no_further_than_need_be(api: Api) -> None:
    rows(api.database, """
        INSERT INTO events.outbox (event_id, type, routing_key, body)
        SELECT gen_random_uuid(), 'a', 'a', '{}' FROM generate_series(1, 100010)
    """)
    assert values(api, "outbox_events") == {"": 100_000}


def log_events(database: Database, kind: type[Event], sequences: list[int], *, ago: timedelta) -> None:
    """Numbered events of a type, as the relay leaves them."""
    rows(
        database,
        "INSERT INTO events.log (sequence, event_id, type, routing_key, body, recorded_at)"
        " SELECT n, gen_random_uuid(), %s, 'a', '{}', %s FROM unnest(%s::bigint[]) AS n",
        type_of(kind), datetime.now(UTC) - ago, sequences,
    )  # fmt: skip


def type_of(kind: type[Event]) -> str:
    return f"breakwater.{kind.noun}.{kind.verb}.v{kind.version}"


def handled(database: Database, part: str, sequence: int) -> None:
    tally = Tally()
    tally.set(HANDLED_THROUGH, sequence)
    tell(database, part, tally)


def test_a_consumer_s_lag_is_the_age_of_the_oldest_event_that_is_his(api: Api, rabbit: Broker) -> None:
    assert rabbit.port
    assert values(api, "consumer_lag_seconds", "queue") == {}
    for part in ("audit", "metadata", "webhook", "replication"):
        handled(api.database, part, 1)
    assert set(values(api, "consumer_lag_seconds", "queue").values()) == {0}
    log_events(api.database, UserLoggedIn, [1, 2], ago=timedelta(hours=1))
    log_events(api.database, ArtifactPushed, [3], ago=timedelta(minutes=30))
    log_events(api.database, ArtifactPushed, [4], ago=timedelta(minutes=10))
    rows(api.database, "UPDATE events.relay SET last_sequence = 4, published_through = 3")
    lags = values(api, "consumer_lag_seconds", "queue")
    assert lags.pop("audit") == pytest.approx(3600, abs=30)
    assert lags == {queue: pytest.approx(1800, abs=30) for queue in ("metadata", "webhook", "replication")}
    handled(api.database, "metadata", 3)
    assert values(api, "consumer_lag_seconds", "queue")["metadata"] == 0  # the next one is not published
    rows(api.database, "UPDATE events.relay SET published_through = 4")
    assert values(api, "consumer_lag_seconds", "queue")["metadata"] == pytest.approx(600, abs=30)


def test_very_many_events_of_others_are_no_lag_where_the_queue_is_empty(api: Api, rabbit: Broker) -> None:
    assert rabbit.port
    handled(api.database, "replication", 0)
    log_events(api.database, UserLoggedIn, list(range(1, 6_001)), ago=timedelta(minutes=10))
    rows(api.database, "UPDATE events.relay SET last_sequence = 6000, published_through = 6000")
    assert values(api, "consumer_lag_seconds", "queue") == {"replication": 0}
    with serving(api.database.settings("core", amqp_port=free_port())) as client:  # and nobody tells of queues
        found = scrape(client)
    assert found["consumer_lag_seconds", frozenset({("queue", "replication")})] == pytest.approx(600, abs=30)


def test_queues_are_told_as_the_broker_has_them(api: Api, rabbit: Broker) -> None:
    def told() -> dict[tuple[str, str], float]:
        return {
            (dict(labels)["queue"], dict(labels)["state"]): value
            for (name, labels), value in scrape(api.client).items()
            if name == "queue_messages" and value
        }

    with rabbit.tester() as connection:
        channel = connection.channel()
        for queue, number in (("audit", 3), ("webhook.dead-letters", 2)):
            for _ in range(number):
                publish(channel, queue)
        eventually(told, {("audit", "waiting"): 3, ("webhook", "dead"): 2})

        def retrying() -> bool:
            publish(channel, "metadata.retry.1s")  # where it stays for that second
            return told().get(("metadata", "retrying"), 0) > 0

        wait_for(retrying, seconds=30, what="what waits for its next attempt is told")
    assert values(api, "queue_consumers", "queue") == dict.fromkeys(("audit", "metadata", "webhook", "replication"), 0)


def publish(channel: Any, queue: str) -> None:  # noqa: ANN401 - py-amqp has no types
    channel.basic_publish(amqp.Message(b"{}"), exchange="", routing_key=queue)
