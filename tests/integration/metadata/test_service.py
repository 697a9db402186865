"""The whole of it, as it really runs: gate, registry, intake, relay, RabbitMQ and the metadata service."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy.orm import sessionmaker

from shared.db import engine
from tests.clients.images import make_image, make_index
from tests.integration.broker import Broker, Process, eventually, running
from tests.integration.conftest import Database
from tests.integration.gate.conftest import core_mount
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens, registry_server
from tests.servers import Postgres, free_port

INTAKE = "services.webhook.intake:IntakeService"
RELAY = "services.webhook.service:RelayService"
METADATA = "services.api.service:MetadataService"


@dataclass
class House:
    """One instance of what a push passes through, and its catalogue."""

    database: Database
    registry: RegistryServer
    tokens: Tokens
    rabbit: Broker
    gate: Path
    logs: Path
    catalogue: Catalogue
    intake_port: int
    parts: ExitStack = field(repr=False)
    intake: Process = field(init=False, repr=False)
    metadata: Process = field(init=False, repr=False)

    def start_intake(self) -> None:
        settings = self.database.settings("intake", intake_port=self.intake_port)
        self.intake = self.parts.enter_context(running(INTAKE, settings, self.logs / f"intake-{secrets.token_hex(2)}"))
        self.intake.has_logged("started")

    def start_metadata(self) -> None:
        settings = self.database.settings("metadata", amqp_port=self.rabbit.port)
        more = {"BREAKWATER_REGISTRY_SOCKET": str(self.registry.socket)}
        log = self.logs / f"metadata-{secrets.token_hex(2)}"
        self.metadata = self.parts.enter_context(running(METADATA, settings, log, **more))
        self.metadata.has_logged("consuming")

    def pusher(self) -> Pusher:
        return Pusher(tokens=self.tokens, socket=self.registry.socket, gate=self.gate)

    def told(self, kind: str, repository: str) -> int:
        """How many events of a kind the numbered log has."""
        rows = self.catalogue.rows(
            "SELECT count(*) FROM events.log WHERE type = %s AND body->'data'->>'repository' LIKE %s",
            f"breakwater.{kind}.v1", f"{repository}%",
        )  # fmt: skip
        return int(rows[0][0])

    def states(self, repository: str) -> set[tuple[str, str | None]]:
        rows = self.catalogue.rows(
            "SELECT DISTINCT state, settled_by FROM events.expected WHERE repository LIKE %s", f"{repository}%"
        )
        return {(state, by) for state, by in rows}


@pytest.fixture(scope="module")
def house(
    postgres_server: Postgres,
    migrated_template: str,
    tokens: Tokens,
    session_broker: Broker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[House]:
    rabbit = session_broker
    rabbit.purge()
    database = Database(postgres_server, postgres_server.new_database(migrated_template))
    logs, port, token = tmp_path_factory.mktemp("house"), free_port(), secrets.token_urlsafe(12)
    database.settings("intake").secrets.joinpath("intake", "notification-token").write_text(token)
    with ExitStack() as parts:
        url = f"http://127.0.0.1:{port}/service/notifications"
        registry = parts.enter_context(registry_server(tokens, notifications=url, notification_token=token))
        gate = parts.enter_context(core_mount(database, registry))
        bind = engine(database.settings("metadata"))
        parts.callback(bind.dispose)
        catalogue = Catalogue(database, sessionmaker(bind), registry.client(tokens))
        house = House(database, registry, tokens, rabbit, gate, logs, catalogue, port, parts)
        house.start_intake()
        parts.enter_context(running(RELAY, database.settings("relay", amqp_port=rabbit.port), logs / "relay"))
        house.start_metadata()
        yield house
    postgres_server.drop_database(database.name)


@pytest.fixture
def app() -> str:
    return f"library/app-{secrets.token_hex(4)}"


def test_what_passes_the_gate_is_catalogued_and_told_once(house: House, app: str) -> None:
    index = make_index("many")
    house.pusher().push(app, "v1", index)
    eventually(lambda: house.catalogue.tags(app), {"v1": index.digest})
    eventually(lambda: house.told("artifact.pushed", app), 3)
    assert house.catalogue.digests(app, listed=True) == {index.digest}
    assert house.states(app) == {("settled", "registry")}
    house.catalogue.check()


def test_a_deletion_takes_tags_along_and_is_told(house: House, app: str) -> None:
    image = make_image("one")
    for tag in ("v1", "v2"):
        house.pusher().push(app, tag, image)
    eventually(lambda: set(house.catalogue.tags(app)), {"v1", "v2"})
    assert house.pusher().delete(app, image.digest).status == 202
    eventually(lambda: house.catalogue.digests(app), set())
    eventually(lambda: (house.told("artifact.deleted", app), house.told("tag.deleted", app)), (1, 2))
    house.catalogue.check()


def test_a_tag_that_moves_follows(house: House, app: str) -> None:
    images = [make_image(f"i{number}") for number in range(10)]
    for image in images:
        house.pusher().push(app, "latest", image)
    eventually(lambda: house.catalogue.tags(app), {"latest": images[-1].digest})
    eventually(lambda: len(house.catalogue.digests(app, listed=True)), 10)


def test_pulls_are_counted_and_our_own_reads_are_not(house: House, app: str) -> None:
    image = make_image("one")
    house.pusher().push(app, "v1", image)
    eventually(lambda: set(house.catalogue.tags(app)), {"v1"})
    for _ in range(7):
        assert house.pusher().get_manifest(app, "v1").status == 200
    query = "SELECT pull_count, (SELECT pulled_at IS NOT NULL FROM core.tags t WHERE t.repository_id = r.id)"
    eventually(lambda: house.catalogue.rows(f"{query} FROM core.repositories r WHERE name = %s", app), [(7, True)])
    assert house.told("artifact.pulled", app) == 7


def test_metadata_killed_in_the_middle_of_two_hundred_pushes_loses_and_doubles_nothing(
    house: House, app: str
) -> None:
    def push(number: int) -> None:
        repository, tag = f"{app}-{number % 5}", f"v{number}"
        image = make_image(f"{app}/{number}", layers=0)
        house.pusher().push(repository, tag, image)
        assert house.pusher().get_manifest(repository, tag).status == 200

    with ThreadPoolExecutor(8) as pool:
        pushes = [pool.submit(push, number) for number in range(200)]
        for _ in range(3):
            house.metadata.kill()
            house.start_metadata()
        for pushed in pushes:
            pushed.result(120)
    counted = (
        "SELECT sum(artifact_count)::int, sum(pull_count)::int, count(*) FROM core.repositories WHERE name LIKE %s"
    )
    eventually(lambda: house.catalogue.rows(counted, f"{app}-%"), [(200, 200, 5)], seconds=60)
    assert (house.told("artifact.pushed", app), house.told("artifact.pulled", app)) == (200, 200)
    assert house.states(app) == {("settled", "registry")}
    house.catalogue.check()


def test_retention_killed_in_the_middle_goes_on_and_deletes_each_once(house: House, app: str) -> None:
    for number in range(20):
        house.pusher().push(app, f"v{number}", make_image(f"{app}/{number}", layers=0))
    eventually(lambda: len(house.catalogue.tags(app)), 20)
    begin_retention(house, app, keep=1)
    settled = "SELECT count(*) > 3 FROM core.retention_verdicts WHERE settled"
    eventually(lambda: house.catalogue.rows(settled), [(True,)])
    house.metadata.kill()
    assert len(house.catalogue.tags(app)) > 1, "it was killed too late"
    house.catalogue.rows("UPDATE core.retention_tasks SET lease_until = now() WHERE finished_at IS NULL RETURNING id")
    house.start_metadata()
    status = "SELECT status, total, retained FROM core.retention_tasks"
    eventually(lambda: house.catalogue.rows(status), [("Success", 20, 1)], seconds=60)
    assert set(house.catalogue.tags(app)) == {"v19"}
    eventually(lambda: house.told("artifact.deleted", app), 19)
    told = "SELECT body->'data'->>'deleted' FROM events.log WHERE type = 'breakwater.retention.finished.v1'"
    eventually(lambda: house.catalogue.rows(told), [("19",)])
    house.catalogue.check()


def begin_retention(house: House, repository: str, *, keep: int) -> None:
    """An execution of a policy of the project `library`, for one of its repositories."""
    name = repository.partition("/")[2]
    rule = {
        "template": "latestPushedK",
        "params": {"latestPushedK": keep},
        "disabled": False,
        "priority": 0,
        "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": ""}],
        "scope_selectors": {
            "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": name, "extras": ""}]
        },
    }
    house.catalogue.rows(
        "WITH policy AS (INSERT INTO core.retention_policies (project_id, rules) VALUES (1, %s::jsonb)"
        " RETURNING id, rules), execution AS (INSERT INTO core.retention_executions"
        " (policy_id, trigger, dry_run, rules, actor, actor_kind, request_id)"
        " SELECT id, 'MANUAL', false, rules, 'alice', 'user', '' FROM policy RETURNING id)"
        " INSERT INTO core.retention_tasks (execution_id, repository) SELECT id, %s FROM execution RETURNING id",
        json.dumps([rule]), repository,
    )  # fmt: skip


def test_a_registry_killed_before_it_could_notify_loses_nothing(house: House, app: str) -> None:
    image = make_image("one")
    house.intake.kill()
    house.pusher().push(app, "v1", image)
    house.registry.kill()
    house.registry.start()
    house.start_intake()
    assert house.states(app) == {("open", None)}
    house.catalogue.rows(
        "UPDATE events.expected SET created_at = created_at - interval '60 s' WHERE repository = %s RETURNING id", app
    )
    eventually(lambda: house.catalogue.tags(app), {"v1": image.digest}, seconds=30)
    eventually(lambda: house.told("artifact.pushed", app), 1)
    assert house.states(app) == {("settled", "reconciler")}
    house.pusher().push(app, "v2", image)
    eventually(lambda: house.told("artifact.pushed", app), 2)


def test_a_registry_that_is_away_is_waited_for(house: House, app: str) -> None:
    image = make_image("one")
    house.metadata.pause()
    house.pusher().push(app, "v1", image)
    eventually(lambda: house.told("artifact.pushed", app), 1)
    house.registry.kill()
    house.metadata.go_on()
    house.metadata.has_logged("waiting_for_outage")
    house.registry.start()
    eventually(lambda: house.catalogue.tags(app), {"v1": image.digest}, seconds=60)


def test_what_the_registry_cannot_give_is_put_off_and_the_rest_catalogued(house: House, app: str) -> None:
    broken, image = make_image("broken"), make_image("one")
    house.metadata.pause()
    house.pusher().push(f"{app}-broken", "v1", broken)
    house.pusher().push(app, "v1", image)
    eventually(lambda: house.told("artifact.pushed", app), 2)
    content = house.registry.blob_file(broken.digest).read_bytes()
    house.registry.lose_content(broken.digest)
    house.metadata.go_on()
    eventually(lambda: house.catalogue.tags(app), {"v1": image.digest})
    house.metadata.has_logged("event_failed")
    house.registry.blob_file(broken.digest).write_bytes(content)
    eventually(lambda: house.catalogue.tags(f"{app}-broken"), {"v1": broken.digest}, seconds=60)


def test_metadata_ends_when_it_is_told_to(house: House) -> None:
    assert house.metadata.terminate() == 0
    house.start_metadata()
