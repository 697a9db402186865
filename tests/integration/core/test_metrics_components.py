"""What Prometheus is told of the whole: each number by the state it stands for, to whom, and while parts are away."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import amqp
import pytest
from falcon.testing import TestClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from gateway.core.app import build
from gateway.core.metrics.components import READABLE, build_components
from gateway.core.metrics.family import Family
from gateway.core.metrics.parts import TELLING
from shared.auth.login import build_login
from shared.db import engine
from shared.events import Event
from shared.events.definitions.artifact import ArtifactPushed
from shared.events.definitions.user import UserLoggedIn
from shared.metrics.figures import CONSUMED, HANDLED_THROUGH, HTTP_REQUESTS, HTTP_SECONDS, State
from shared.metrics.recording import Recorder
from shared.metrics.tally import Tally
from shared.settings import Settings
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, NOBODY, Api, Caller
from tests.integration.core.test_statements import statements
from tests.servers import free_port, short_folder, wait_for

READ = (("metrics", "read"),)
COMPONENTS = ("events", "parts", "record", "replication", "requests", "storage")
Key = tuple[str, frozenset[tuple[str, str]]]


@contextmanager
def serving(settings: Settings) -> Iterator[TestClient]:
    bind = engine(settings, pool_size=4)
    login = build_login(settings, bind)
    yield TestClient(build(settings, bind, login))
    login.ldap.close()
    bind.dispose()


@pytest.fixture(scope="module")
def api(core_database: Database, session_broker: Broker) -> Iterator[Api]:
    with serving(core_database.settings("core", amqp_port=session_broker.port)) as client:
        yield Api(client, core_database)


@pytest.fixture(autouse=True)
def _nothing_told(core_database: Database) -> None:
    with core_database.superuser() as connection:
        connection.execute("TRUNCATE metrics.parts, metrics.figures, events.outbox, events.log, events.parked")
        connection.execute("UPDATE events.relay SET last_sequence = 0, published_through = 0")
        connection.execute("DELETE FROM core.collections")


def scrape(client: TestClient, caller: Caller = ADMIN, query: str = "") -> dict[Key, float]:
    answer = client.simulate_get("/metrics", query_string=query, headers=caller.headers)
    assert answer.status_code == 200, answer.text
    return {
        (sample.name.removeprefix("breakwater_"), frozenset(sample.labels.items())): sample.value
        for family in read_text(answer.text)
        for sample in family.samples
    }


def values(api: Api, name: str, label: str = "") -> dict[str, float]:
    """The values of a metric by one label."""
    return {
        dict(labels).get(label, ""): value for (each, labels), value in scrape(api.client).items() if each == name
    }


def tell(database: Database, part: str, tally: Tally | None = None) -> None:
    Recorder(database.settings(part), tally or Tally()).tell()


def rows(database: Database, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
    with database.superuser() as connection:
        cursor = connection.execute(statement.encode(), arguments)
        return cursor.fetchall() if cursor.description else []


# who may read


@pytest.mark.parametrize("component", COMPONENTS)
def test_administrators_and_robots_with_the_permission_read_every_component(api: Api, component: str) -> None:
    for caller in (ADMIN, api.user(admin=True), api.robot(None, system=READ)):
        found = scrape(api.client, caller, f"comp={component}")
        assert found["component_readable", frozenset({("component", component)})] == 1
        assert {dict(labels)["component"] for name, labels in found if name == "component_readable"} == {component}


@pytest.mark.parametrize("query", ["", *(f"comp={component}" for component in COMPONENTS)])
def test_nobody_else_reads_any(api: Api, query: str) -> None:
    project = api.project()
    others = [
        api.user(), api.member(project, "projectAdmin"), api.robot(project, ("repository", "pull")),
        api.robot(None, system=(("jobservice-monitor", "list"),)),
    ]  # fmt: skip
    asked = [api.client.simulate_get("/metrics", query_string=query, headers=each.headers) for each in others]
    assert {answer.status_code for answer in asked} == {403}
    for stranger in (NOBODY, Caller(name="admin", password="Wrong1password")):
        answer = api.client.simulate_get("/metrics", query_string=query, headers=stranger.headers)
        assert answer.status_code == 401
        assert "breakwater_" not in answer.text


def test_without_a_component_named_each_reads_all_that_he_may(api: Api) -> None:
    replication = (("replication-policy", "list"), ("replication", "list"), ("registry", "list"))
    for system, expected in ((READ, set(COMPONENTS)), (replication, {"replication"})):
        found = scrape(api.client, api.robot(None, system=system))
        assert {dict(labels)["component"] for name, labels in found if name == "component_readable"} == expected


def test_an_unknown_component_is_refused_with_the_known_ones(api: Api) -> None:
    answer = api.client.simulate_get("/metrics", query_string="comp=nothing", headers=ADMIN.headers)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["message"] == f"comp must be one of {', '.join(COMPONENTS)}"
    assert answer.headers["cache-control"] == "no-store"


def test_a_robot_cannot_be_given_it_in_a_project(api: Api) -> None:
    body = {
        "name": "sly", "level": "project", "duration": -1,
        "permissions": [
            {"kind": "project", "namespace": "library", "access": [{"resource": "metrics", "action": "read"}]}
        ],
    }  # fmt: skip
    assert api.send("POST", "/robots", body=body).status_code == 400


# what is told


def declared(api: Api) -> dict[str, Family]:
    """Every metric by the names that its values bear."""
    components = build_components(api.database.settings("core")).values()
    families = [READABLE, *(family for component in components for family in component.catalogue)]
    return {name.removeprefix("breakwater_"): family for family in families for name in family.sample_names}


def test_nothing_is_told_that_is_not_declared_with_its_labels(api: Api) -> None:
    families = declared(api)
    for name, labels in scrape(api.client):
        assert {label for label, _ in labels} - {"le"} == set(families[name].labels), name


def test_no_label_holds_what_a_client_chooses(api: Api) -> None:
    labels = {label for family in declared(api).values() for label in family.labels}
    assert not labels & {"path", "user", "repository", "project", "address", "actor", "agent"}


def test_both_forms_of_the_exposition_hold_the_same(api: Api) -> None:
    tally = Tally()
    tally.count(HTTP_REQUESTS, "api", "GET", "200")
    tally.time(HTTP_SECONDS, 0.03, "api")
    tell(api.database, "core", tally)
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    plain = api.client.simulate_get("/metrics", headers=ADMIN.headers)
    newer = api.client.simulate_get("/metrics", headers=ADMIN.headers | accept)
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in read_openmetrics(newer.text)} == {
        family.name.removesuffix("_total") for family in read_text(plain.text)
    }


def test_a_part_is_up_while_it_tells_of_itself(api: Api) -> None:
    assert {part: up for part, up in values(api, "up", "part").items() if part in TELLING} == dict.fromkeys(TELLING, 0)
    for part in TELLING:
        tell(api.database, part)
    rows(api.database, "UPDATE metrics.parts SET told_at = now() - interval '2 min' WHERE part = 'relay'")
    assert values(api, "up", "part") == {
        **dict.fromkeys(TELLING, 1), "relay": 0, "postgres": 1, "rabbitmq": 1, "registry": 0, "proxy": 0,
    }


def test_what_processes_of_a_part_have_counted_is_told_as_one(api: Api) -> None:
    for seconds in (0.004, 0.2, 60.0):
        tally = Tally()
        tally.count(HTTP_REQUESTS, "api", "GET", "200")
        tally.time(HTTP_SECONDS, seconds, "api")
        tell(api.database, "core", tally)
    found = scrape(api.client)
    of_core = {("part", "core"), ("area", "api")}
    assert found["http_requests_total", frozenset({*of_core, ("method", "GET"), ("status", "200")})] == 3
    assert found["http_request_seconds_count", frozenset(of_core)] == 3
    assert found["http_request_seconds_sum", frozenset(of_core)] == pytest.approx(60.204)
    below = {
        dict(labels)["le"]: value for (name, labels), value in found.items() if name == "http_request_seconds_bucket"
    }
    assert (below["0.005"], below["0.1"], below["0.25"], below["10.0"], below["+Inf"]) == (1, 1, 2, 2, 3)


def test_figures_of_another_version_of_the_code_are_left_out(api: Api) -> None:
    tally = Tally()
    tally.set(State(name="gone", meaning=""), 1)
    tally.count(CONSUMED, "done", "by whom")
    tell(api.database, "audit", tally)
    found = {name for name, _ in scrape(api.client)}
    assert not found & {"gone", "events_consumed_total"}


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


def test_parked_notifications_are_counted(api: Api) -> None:
    assert values(api, "parked_notifications") == {"": 0}
    rows(api.database, "INSERT INTO events.parked (reason, body) VALUES ('odd', 'x'), ('odd', 'y')")
    assert values(api, "parked_notifications") == {"": 2}


def test_what_verifying_the_record_found_is_told_once_it_was_verified(api: Api) -> None:
    rows(api.database, "UPDATE audit.checks SET verified_at = NULL, broken = NULL")
    assert values(api, "audit_holds", "scope") == {}
    rows(api.database, "UPDATE audit.checks SET verified_at = '2026-01-02T03:04:05Z' WHERE scope = 'recent'")
    assert values(api, "audit_holds", "scope") == {"recent": 1}
    assert values(api, "audit_verified_timestamp_seconds", "scope") == {
        "recent": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    }
    rows(api.database, "UPDATE audit.checks SET broken = 'link 7 does not hold' WHERE scope = 'recent'")
    assert values(api, "audit_holds", "scope") == {"recent": 0}


COLLECTION = """
    INSERT INTO core.collections
        (trigger, delete_untagged, dry_run, parameters, actor, actor_kind, request_id, status, freed, finished_at)
    VALUES ('MANUAL', false, %s, '{}', 'admin', 'user', 'r', %s, %s, %s)
"""


def test_the_last_collection_of_garbage_is_told_and_no_dry_run(api: Api) -> None:
    names = ("gc_finished_timestamp_seconds", "gc_succeeded", "gc_freed_bytes", "gc_running")
    assert [values(api, name) for name in names] == [{}, {}, {}, {"": 0}]
    at = datetime(2026, 1, 2, tzinfo=UTC)
    rows(api.database, COLLECTION, False, "Success", 70, at)
    rows(api.database, COLLECTION, True, "Success", 99, at + timedelta(hours=1))
    assert [values(api, name) for name in names] == [{"": at.timestamp()}, {"": 1}, {"": 70}, {"": 0}]
    rows(api.database, COLLECTION, False, "Error", 0, at + timedelta(hours=2))
    rows(api.database, COLLECTION, False, "Running", 0, None)
    assert [values(api, name)[""] for name in names[1:]] == [0, 0, 1]


def test_what_is_stored_is_told_as_quotas_count_it(api: Api) -> None:
    before = {name: values(api, name)[""] for name in ("projects", "storage_used_bytes", "artifacts", "repositories")}
    project = api.project()
    rows(
        api.database,
        "UPDATE core.projects SET storage_used = 700, artifact_count = 3, repository_count = 2 WHERE name = %s",
        project,
    )
    after = {name: values(api, name)[""] for name in before}
    assert {name: after[name] - before[name] for name in before} == {
        "projects": 1, "storage_used_bytes": 700, "artifacts": 3, "repositories": 2,
    }
    assert values(api, "database_bytes")[""] > 1_000_000


def test_that_pushes_are_refused_is_told_with_its_reason(api: Api, core_database: Database) -> None:
    with short_folder() as run:
        for file in core_database.server.run.glob(".s.PGSQL*"):
            run.joinpath(file.name).symlink_to(file)
        with serving(core_database.settings("core", run=run)) as client:
            for flag, expected in (("none", set()), ("readonly", {"disk"}), ("collecting", {"disk", "collecting"})):
                run.joinpath(flag).touch()
                found = scrape(client, query="comp=storage")
                why = {dict(labels)["why"] for (name, labels), on in found.items() if name == "pushes_refused" and on}
                assert why == expected
    assert values(api, "pushes_refused", "why") == {"disk": 0, "collecting": 0}


# parts that are away


@pytest.fixture
def hanging(core_database: Database) -> Iterator[Settings]:
    """A registry, a proxy and a broker that take connections and never say a word."""
    with short_folder() as folder, socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        broker.listen()
        sockets = []
        for name in ("registry.sock", "proxy-status.sock"):
            silent = socket.socket(socket.AF_UNIX)
            silent.bind(str(folder / name))
            silent.listen()
            sockets.append(silent)
        for file in core_database.server.run.glob(".s.PGSQL*"):
            folder.joinpath(file.name).symlink_to(file)
        yield core_database.settings("core", run=folder, amqp_port=broker.getsockname()[1])
        for silent in sockets:
            silent.close()


def test_parts_that_hang_are_down_and_cost_less_than_a_second(hanging: Settings) -> None:
    with serving(hanging) as client:
        scrape(client, query="comp=replication")  # signs in and connects
        for _ in range(4):
            begun = time.monotonic()
            found = scrape(client)
            assert time.monotonic() - begun < 1
            for part in ("registry", "proxy", "rabbitmq"):
                assert found["up", frozenset({("part", part)})] == 0
            assert found["up", frozenset({("part", "postgres")})] == 1
            assert not {name for name, _ in found} & {"queue_messages", "proxy_connections"}
            assert found["component_readable", frozenset({("component", "events")})] == 1


@contextmanager
def away(database: Database) -> Iterator[None]:
    """The database takes no connections, and those there were are gone."""
    with database.server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false".encode())
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database.name,)
            )
            yield
        finally:
            connection.execute(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true".encode())


def test_while_the_database_is_away_what_is_known_without_it_is_told(
    core_database: Database, session_broker: Broker
) -> None:
    with serving(core_database.settings("core", amqp_port=session_broker.port)) as client:
        assert scrape(client)["up", frozenset({("part", "postgres")})] == 1
        with away(core_database):
            begun = time.monotonic()
            found = scrape(client)
            assert time.monotonic() - begun < 1
            assert {dict(labels)["part"]: up for (name, labels), up in found.items() if name == "up"} == {
                "core": 1, "postgres": 0, "rabbitmq": 1, "registry": 0, "proxy": 0,
            }
            assert {name for name, _ in found} == {"up", "component_readable"}
            assert {up for (name, _), up in found.items() if name == "component_readable"} == {0}
            # without a name and a password not even that, and nothing else of the API
            assert client.simulate_get("/metrics").status_code == 401
            assert client.simulate_get("/api/v2.0/users/current", headers=ADMIN.headers).status_code == 503
        eventually(lambda: scrape(client)["up", frozenset({("part", "postgres")})], 1)


def test_a_component_that_the_database_takes_too_long_over_is_left_out(core_database: Database) -> None:
    with serving(core_database.settings("core")) as client, core_database.superuser() as blocking:
        scrape(client)
        with blocking.transaction():
            blocking.execute("LOCK TABLE core.collections IN ACCESS EXCLUSIVE MODE")
            begun = time.monotonic()
            found = scrape(client)
            assert time.monotonic() - begun < 2
        readable = {dict(key)["component"]: up for (name, key), up in found.items() if name == "component_readable"}
        assert readable == dict.fromkeys(COMPONENTS, 1) | {"storage": 0}
        assert ("storage_used_bytes", frozenset()) not in found
        assert scrape(client)["component_readable", frozenset({("component", "storage")})] == 1


def test_metrics_cost_the_same_for_much_and_for_little(api: Api) -> None:
    scrape(api.client)
    with statements() as few:
        scrape(api.client)
    for part in TELLING:
        tally = Tally()
        for number in range(50):
            tally.count(HTTP_REQUESTS, "api", "GET", str(number))
        tell(api.database, part, tally)
    with statements() as many:
        scrape(api.client)
    assert len(many) == len(few) <= 24, "\n".join(many)


def test_paths_of_clients_count_as_a_few_kinds(core_database: Database) -> None:
    settings = core_database.settings("core")
    bind, tally = engine(settings, pool_size=2), Tally()
    login = build_login(settings, bind)
    client = TestClient(build(settings, bind, login, tally))
    for method, path in (
        ("GET", "/api/v2.0/ping"), ("GET", "/healthz"), ("GET", "/nowhere"), ("PUT", "/v2/a/b/manifests/c"),
        ("PUT", "/internal/repositories/a/b"), ("GET", "/api/v2.0/nowhere"),
    ):  # fmt: skip
        client.simulate_request(method, path)
    login.ldap.close()
    bind.dispose()
    counted = {told.labels[:2] for told in tally.take() if told.name == HTTP_REQUESTS.name}
    assert {area for area, _ in counted} == {"api", "watch", "portal", "registry", "internal"}
    assert {method for _, method in counted} == {"GET", "PUT"}
