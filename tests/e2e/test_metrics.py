"""Metrics and alerts of a whole instance: one scrape through the proxy, and each alert fires where its fault is."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families as read_text

from compose.local.parts import SERVICES
from gateway.core.metrics.docs import families
from shared.messaging.connection import connected
from shared.messaging.publish import Outgoing, Publisher
from shared.messaging.topology import EVENTS
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.promtool import assert_fires, constant
from tests.documented import run_commands
from tests.e2e.conftest import fresh_system
from tests.sentences import said

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.system import System

PARTS: Final = (*SERVICES, "postgres", "rabbitmq", "registry", "proxy")
pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def watched() -> Iterator[System]:
    """An instance of this module's own: what is done to its record and its queues cannot be made good."""
    yield from fresh_system()


@pytest.fixture(scope="module")
def prometheus(watched: System) -> tuple[str, str]:
    """Name and secret of the robot account that scrapes."""
    made = watched.admin.must("POST", "/robots", json={
        "name": "prometheus", "level": "system", "duration": -1,
        "permissions": [{"kind": "system", "namespace": "/", "access": [{"resource": "metrics", "action": "read"}]}],
    }).json()
    return made["name"], made["secret"]


def scrape(system: System, robot: tuple[str, str]) -> str:
    begun = time.monotonic()
    answer = requests.get(f"{system.url}/metrics", auth=robot, timeout=10)
    assert answer.status_code == requests.codes.ok, answer.text
    assert time.monotonic() - begun < 2
    return answer.text


def test_operator_asks_as_prometheus_does(watched: System, prometheus: tuple[str, str]) -> None:
    words = "curl --include --user 'ROBOT:SECRET' URL/metrics"
    name, secret = prometheus
    for given, status in ((secret, "200"), (f"{secret}x", "401")):
        command = said(words, {"ROBOT": name, "SECRET": given, "URL": watched.url})
        answer = run_commands(command, watched.instance.environment)
        assert f"HTTP/1.1 {status} " in answer


def values(text: str, name: str, label: str = "") -> dict[str, float]:
    return {
        sample.labels.get(label, ""): sample.value
        for family in read_text(text)
        for sample in family.samples
        if sample.name == f"breakwater_{name}"
    }


def test_one_scrape_through_the_proxy_tells_of_every_part(watched: System, prometheus: tuple[str, str]) -> None:
    client = watched.registry()
    image = make_image("metered")
    client.push("library/metered", "v1", image)
    assert client.pull("library/metered", "v1").status_code == requests.codes.ok
    client.close()

    def all_told() -> bool:
        text = scrape(watched, prometheus)
        return (
            values(text, "up", "part") == dict.fromkeys(PARTS, 1)
            and "breakwater.artifact.pushed.v1" in values(text, "events_published_total", "type")
            and "taken" in values(text, "notifications_total", "outcome")
            and "issued" in values(text, "tokens_total", "outcome")
            and values(text, "disk_free_bytes", "part").get("metadata", 0) > 0
            # the gate and the observer have asked the registry, which has told the intake
            and {"core", "metadata"} <= values(text, "registry_request_seconds_count", "part").keys()
            and {"token", "core", "intake"} <= values(text, "http_request_seconds_count", "part").keys()
            # blobs went to the registry without any of them
            and values(text, "transfers_total", "kind").keys() == {"blob", "upload", "manifest"}
        )

    eventually(all_told, within=60, what="every part tells of itself")
    text = scrape(watched, prometheus)
    typed = set(re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE))
    missing = {
        family.full_name for component in families().values() for family in component if family.full_name not in typed
    }
    # nothing is told of what has never happened
    assert missing <= {f"breakwater_gc_{name}" for name in ("finished_timestamp_seconds", "succeeded", "freed_bytes")}
    assert values(text, "proxy_requests_total")[""] > 10
    assert values(text, "queue_consumers", "queue") == dict.fromkeys(("audit", "metadata", "webhook", "replication"), 1)
    assert values(text, "storage_used_bytes")[""] > 0
    took = values(text, "answer_seconds", "part")
    assert took.keys() == {"postgres", "rabbitmq", "registry", "proxy"}
    assert all(0 < seconds < 1 for seconds in took.values())


def test_a_whole_instance_alarms_nobody(watched: System, prometheus: tuple[str, str]) -> None:
    eventually(
        lambda: values(scrape(watched, prometheus), "audit_holds", "scope").get("recent") == 1,
        within=60, what="the record is verified",
    )
    assert_fires(constant(scrape(watched, prometheus)), set())


@contextmanager
def without(system: System, robot: tuple[str, str], part: str) -> Iterator[None]:
    """A part is stopped; afterwards all is well again, and nothing waits."""
    system.instance.stop_part(part)
    try:
        yield
    finally:
        system.start_part(part)

    def is_well() -> bool:
        text = scrape(system, robot)
        return (
            values(text, "up", "part") == dict.fromkeys(PARTS, 1)
            and not values(text, "outbox_oldest_seconds")[""]
            and not values(text, "unpublished_oldest_seconds")[""]
            and not any(values(text, "consumer_lag_seconds", "queue").values())
        )

    eventually(is_well, within=120, what="all is well again")


def test_a_relay_that_is_down_is_found_by_itself_and_by_what_waits_for_it(
    watched: System, prometheus: tuple[str, str]
) -> None:
    with without(watched, prometheus, "relay"):
        watched.new_project()
        watched.rows("UPDATE events.outbox SET created_at = created_at - interval '1 hour' RETURNING id")
        watched.rows("UPDATE metrics.parts SET told_at = now() - interval '1 hour' WHERE part = 'relay' RETURNING part")
        text = scrape(watched, prometheus)
        assert {part for part, up in values(text, "up", "part").items() if not up} == {"relay"}
        assert values(text, "outbox_events")[""] >= 1
        assert values(text, "outbox_oldest_seconds")[""] > 3000
        assert_fires(constant(text), {"BreakwaterPartDown", "BreakwaterOutboxStuck"})


def test_a_consumer_that_is_down_leaves_its_queue_alone_and_falls_behind(
    watched: System, prometheus: tuple[str, str]
) -> None:
    with without(watched, prometheus, "metadata"):
        client = watched.registry()
        client.push("library/metered", "v2", make_image("metered again"))
        client.close()

        def behind() -> set[str]:
            lags = values(scrape(watched, prometheus), "consumer_lag_seconds", "queue")
            return {queue for queue, seconds in lags.items() if seconds}

        eventually(lambda: behind() == {"metadata"}, within=60, what="metadata is behind, and nobody else")
        text = scrape(watched, prometheus)
        assert values(text, "queue_consumers", "queue")["metadata"] == 0
        series = constant(text) | {
            'breakwater_up{part="metadata"}': "1+0x75",  # whether the minute is over yet, is another test's question
            'breakwater_consumer_lag_seconds{queue="metadata"}': "10+60x75",
        }
        assert_fires(series, {"BreakwaterQueueWithoutConsumer", "BreakwaterConsumerBehind"})


def test_a_database_that_is_down_is_told_and_fails_no_scrape(watched: System, prometheus: tuple[str, str]) -> None:
    with without(watched, prometheus, "postgres"):
        text = scrape(watched, prometheus)
        assert values(text, "up", "part") == {"core": 1, "postgres": 0, "rabbitmq": 1, "registry": 1, "proxy": 1}
        assert_fires(constant(text), {"BreakwaterPartDown", "BreakwaterMetricsUnreadable"})


def test_a_broker_that_is_down_is_told_with_what_waits_for_it(watched: System, prometheus: tuple[str, str]) -> None:
    with without(watched, prometheus, "rabbitmq"):
        watched.new_project()
        eventually(
            lambda: values(scrape(watched, prometheus), "unpublished_oldest_seconds")[""] > 0,
            within=60, what="an event waits for the broker",
        )
        text = scrape(watched, prometheus)
        assert values(text, "up", "part")["rabbitmq"] == 0
        assert values(text, "queue_messages", "queue") == {}
        assert_fires(
            constant(text) | {"breakwater_unpublished_oldest_seconds": "60+60x75"},
            {"BreakwaterPartDown", "BreakwaterEventsUnpublished"},
        )


def test_a_proxy_that_is_killed_tells_its_numbers_again(watched: System, prometheus: tuple[str, str]) -> None:
    before = values(scrape(watched, prometheus), "proxy_requests_total")[""]
    watched.instance.kill_part("proxy")

    def told() -> float:
        try:
            return values(scrape(watched, prometheus), "proxy_requests_total").get("", before)
        except requests.RequestException:
            return before

    eventually(lambda: told() < before, within=60, what="the proxy tells of itself again")


def test_events_that_went_nowhere_and_a_changed_record_alarm_somebody(
    watched: System, prometheus: tuple[str, str]
) -> None:
    with connected(replace(watched.settings, part="relay")) as broker:
        Publisher(broker).publish([Outgoing(exchange=EVENTS, routing_key="artifact.pushed.p", body=b"no event")])
    refused = requests.post(
        watched.intake_url, data=b"no json", headers={"Authorization": f"Bearer {watched.notification_token}"},
        timeout=10,
    )
    assert refused.json() == {"events": 0, "parked": 1}
    watched.rows("UPDATE audit.records SET actor = 'somebody else' WHERE sequence = 1 RETURNING sequence")
    watched.admin.must("POST", "/system/audit-checks")

    def told() -> list[Any]:
        text = scrape(watched, prometheus)
        dead = {
            sample.labels["queue"]
            for family in read_text(text)
            for sample in family.samples
            if sample.labels.get("state") == "dead" and sample.value
        }
        return [dead, values(text, "parked_notifications")[""], values(text, "audit_holds", "scope").get("recent")]

    expected = [{"audit", "metadata", "webhook", "replication"}, 1, 0]
    eventually(lambda: told() == expected, within=60, what=f"{expected} is told")
    assert_fires(
        constant(scrape(watched, prometheus)),
        {"BreakwaterDeadLetters", "BreakwaterParkedNotifications", "BreakwaterAuditBroken"},
    )
