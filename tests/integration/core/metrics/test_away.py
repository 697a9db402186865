"""What Prometheus is told while parts are away or hang, and what it costs."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from falcon.testing import TestClient

from gateway.core.app import build
from gateway.core.metrics.parts import TELLING
from gateway.core.metrics.probes import Findings, Prober, Questions
from shared.auth.login import build_login
from shared.db import engine
from shared.metrics.figures import HTTP_REQUESTS
from shared.metrics.tally import Tally
from shared.settings import Settings
from tests.integration.broker import Broker, eventually
from tests.integration.conftest import Database
from tests.integration.core.metrics.scraping import COMPONENTS, scrape, serving, tell
from tests.integration.core.people import ADMIN, Api
from tests.integration.core.test_statements import statements
from tests.servers import short_folder


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


def test_a_part_that_hangs_is_waited_for_once_and_beside_whatever_else_is_read(hanging: Settings) -> None:
    patience = 0.6

    def waited(asked: Questions) -> float:
        begun = time.monotonic()
        assert asked.findings() == Findings(registry=False, proxy=None, queues=None)
        return time.monotonic() - begun

    prober = Prober(hanging, patience=patience)
    assert waited(prober.ask()) > patience / 2
    assert waited(prober.ask()) < patience / 2
    asked = Prober(hanging, patience=patience).ask()
    time.sleep(patience)
    assert waited(asked) < patience / 2


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
        ("GET", "/api/v2.0/ping"), ("GET", "/healthz"), ("GET", "/livez"), ("GET", "/readyz"),
        ("GET", "/nowhere"), ("PUT", "/v2/a/b/manifests/c"),
        ("PUT", "/internal/repositories/a/b"), ("GET", "/api/v2.0/nowhere"),
    ):  # fmt: skip
        client.simulate_request(method, path)
    login.ldap.close()
    bind.dispose()
    counted = {told.labels[:2] for told in tally.take() if told.name == HTTP_REQUESTS.name}
    assert {area for area, _ in counted} == {"api", "watch", "portal", "registry", "internal"}
    assert {method for _, method in counted} == {"GET", "PUT"}
