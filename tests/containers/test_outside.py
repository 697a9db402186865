"""A database, a broker, a storage and a collector of traces outside of the containers: what they are given."""

from __future__ import annotations

import json
import shutil
import tarfile
from typing import TYPE_CHECKING, Any, Final

import pytest

from compose.local.options import CHECKOUT
from tests.clients import collecting
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.containers.conftest import HERE
from tests.containers.stack import UP_SECONDS, ComposeFailedError, Stack
from tests.documented import documented
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.clients.rest import RestClient
    from tests.outside import Outside
    from tests.outside_broker import OutsideBroker
    from tests.s3 import Storage

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

SECONDS: Final = 30
TOLD: Final = (
    "has not been told of this instance: give it what docker compose run --rm -v FOLDER:/backup operate"
    " events broker-definitions /backup/FILE writes, by rabbitmqctl import_definitions FILE, and run"
    " docker compose up -d again"
)
OTLP_PORT: Final = 4318
"""In a container of its own."""
TRACED: Final = {"core", "intake", "relay", "audit", "metadata", "webhook", "replication"}
"""Those that a push passes through."""


def settings_of(database: Outside, storage: Storage, authorities: Path, name: str = "images") -> dict[str, str]:
    """Those of an instance that uses both; the folder is given what it is to trust."""
    authorities.chmod(0o755)
    shutil.copyfile(database.ca, authorities / "ca.crt")
    settings = database.variables(name) | storage.variables("here")
    del settings["BREAKWATER_DATABASE_CA"]
    return settings | {"BREAKWATER_DATABASE_CA_FOLDER": str(authorities)}


def trusted(broker: OutsideBroker, folders: pytest.TempPathFactory) -> Path:
    """A folder with what a container is to trust."""
    folder = folders.mktemp("authorities-of-the-broker")
    folder.chmod(0o755)
    shutil.copyfile(broker.ca, folder / "ca.crt")
    return folder


@pytest.fixture(scope="module")
def stack(
    built: Stack, database: Outside, storage: Storage, broker: OutsideBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Started as docs/containers.md tells: at first the broker does not know it."""
    settings = settings_of(database, storage, tmp_path_factory.mktemp("authorities"))
    settings |= broker.variables | {"BREAKWATER_AMQP_CA_FOLDER": str(trusted(broker, tmp_path_factory))}
    del settings["BREAKWATER_AMQP_CA"]
    definitions = tmp_path_factory.mktemp("definitions")
    stack = Stack(
        built.engine, tmp_path_factory.mktemp("outside"), free_port(), project="breakwater-outside",
        files=("compose.database.yaml", "compose.broker.yaml", "compose.s3.yaml", "compose.traces.yaml"),
        **settings, BREAKWATER_TRACES_ENDPOINT=f"http://collector:{OTLP_PORT}",
    )  # fmt: skip
    stack.remove()
    try:
        with pytest.raises(ComposeFailedError) as refused:
            stack.up()
        assert TOLD in str(refused.value)
        places = {"FOLDER": str(definitions), "/backup/FILE": "/backup/definitions"}
        write, start = documented("docs/containers.md", "broker-definitions").fitted(places).splitlines()
        stack.documented(write)
        broker.rabbit.control("import_definitions", str(definitions / "definitions"))
        stack.documented(start, seconds=UP_SECONDS)
        stack.await_health()
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def admin(stack: Stack) -> RestClient:
    return stack.admin()


@pytest.fixture(scope="module")
def collected(stack: Stack) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The spans that came to a collector in the network for traces, which reaches nothing else."""
    docker, name = stack.docker, "breakwater-outside-collector"
    begun = docker.run(
        "run", "--detach", "--rm", "--name", name, "--network", "breakwater-outside_traces",
        "--network-alias", "collector", "--volume", f"{CHECKOUT}/tests:/given/tests:ro", "--env", "PYTHONPATH=/given",
        "breakwater", "tests.clients.collector", str(OTLP_PORT),
    )  # fmt: skip
    assert begun.ok, begun.said
    try:
        yield lambda: [json.loads(line) for line in docker.run("logs", name).out.splitlines()]
    finally:
        docker.run("rm", "--force", name)


def test_a_push_through_the_containers_is_one_trace(
    stack: Stack, collected: Callable[[], list[dict[str, Any]]]
) -> None:
    assert stack.registry(stack.admin_password()).push("library/traced", "v1", make_image("traced")).ok

    def parts() -> set[str]:
        spans = collected()
        gate = next((span for span in spans if span["name"] == "PUT /v2/{name}/manifests/{reference}"), None)
        return {span["part"] for span in spans if gate and span["trace"] == gate["trace"]}

    eventually(lambda: parts() == TRACED, within=SECONDS, what="the whole trace")
    assert not [span for span in collected() if span["part"] == "events"]


def test_what_is_pushed_lies_in_the_bucket_and_is_catalogued_in_the_database(
    stack: Stack, admin: RestClient, database: Outside, storage: Storage
) -> None:
    image, registry = make_image("outside", layers=2), stack.registry(stack.admin_password())
    assert registry.push("library/outside", "v1", image).ok
    for blob in image.blobs:
        assert registry.get_blob("library/outside", blob.digest).content == blob.content
    eventually(
        lambda: database.run("SELECT 1 FROM core.tags WHERE name = 'v1'", "images"), within=SECONDS, what="catalogued"
    )
    recorded = "operation=create,resource_type=artifact"
    eventually(lambda: admin.get("/audit-logs", q=recorded), within=SECONDS, what="it is on record")
    assert storage.in_folder("here").holds("docker/registry/v2/blobs")
    assert stack.run_in("postgres", "sh", "-c", "pgrep postgres || echo none").out.strip() == "none"


def test_events_go_over_the_broker_outside_by_tls_and_none_of_its_own_runs(
    stack: Stack, broker: OutsideBroker, admin: RestClient
) -> None:
    assert stack.run_in("rabbitmq", "sh", "-c", "pgrep beam || echo none").out.strip() == "none"
    users = broker.rabbit.control("list_connections", "user", "ssl").splitlines()
    connected = {f"breakwater-{part}\ttrue" for part in ("relay", "audit", "metadata", "webhook", "replication")}
    assert connected <= {*users}
    assert not [user for user in users if user.endswith("false")]
    assert stack.operate("events", "dead-letters").ok
    assert admin.get("/health")["status"] == "healthy"


def test_what_is_started_while_the_broker_is_away_does_not_wait_for_it(stack: Stack, broker: OutsideBroker) -> None:
    broker.rabbit.control("stop_app")
    try:
        stack.compose("run", "--rm", "--no-deps", "-T", "migrate")
    finally:
        broker.rabbit.control("start_app")
    registry = stack.registry(stack.admin_password())
    assert registry.push("library/after-the-broker", "v1", make_image("after-the-broker")).ok
    admin = stack.admin()
    eventually(lambda: admin.artifacts("library/after-the-broker"), within=60, what="the push is catalogued")


def test_a_collection_frees_bytes_of_the_bucket(stack: Stack, admin: RestClient) -> None:
    image, registry = make_image("garbage", layer_size=100_000), stack.registry(stack.admin_password())
    assert registry.push("library/garbage", "v1", image).ok
    assert registry.delete_manifest("library/garbage", image.digest).ok
    assert json.loads(collecting.collect(admin)["job_parameters"])["freed_space"] >= image.size
    assert not registry.has_blob("library/garbage", image.layers[0].digest)
    assert registry.push("library/garbage", "v2", make_image("after-the-garbage")).ok


def test_operator_s_verbs_reach_both(stack: Stack, tmp_path: Path) -> None:
    compared = stack.operate("reconcile")
    assert (compared.ok, compared.out.startswith("compared ")) == (True, True), compared.err
    taken = ("backup", "/backup/taken")
    refused = stack.operate(*taken, folder=tmp_path)
    assert (refused.ok, "which a backup does not take along: say --no-registry" in refused.err) == (False, True)
    done = stack.operate(*taken, "--no-registry", folder=tmp_path)
    assert done.ok, done.err
    with tarfile.open(tmp_path / "taken") as backup:
        assert json.loads(backup.extractfile("manifest.json").read())["registry"].startswith("s3://")  # type: ignore[union-attr]  # it is a file
        assert backup.getmember("database.dump").size > 0


def test_backup_becomes_another_database_outside(
    stack: Stack, database: Outside, storage: Storage, tmp_path: Path
) -> None:
    """As far as what runs once makes it: what runs then is tested above, and one server serves one instance."""
    asked = "SELECT name, pushed_at FROM core.tags ORDER BY 1, 2"
    assert stack.registry(stack.admin_password()).push("library/saved", "saved", make_image("saved")).ok
    eventually(
        lambda: "saved" in {name for name, _ in database.run(asked, "images")}, within=SECONDS, what="it is catalogued"
    )
    assert stack.operate("backup", "/backup/taken", "--no-registry", folder=tmp_path).ok
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    other = Stack(
        stack.engine, tmp_path, free_port(), project="breakwater-outside-restored",
        files=("compose.database.yaml", "compose.s3.yaml"), **settings_of(database, storage, authorities, "restored"),
    )  # fmt: skip
    other.remove()
    try:
        done = other.operate("restore", "/backup/taken", folder=tmp_path)
        assert (done.ok, done.err) == (True, "")
        # with the log, to which it speaks, and all else before it
        other.compose("run", "--rm", "-T", "migrate", seconds=240)
    finally:
        other.remove()
    kept, made = (database.run(asked, name) for name in ("images", "restored"))
    assert made == kept
    assert made


def test_the_database_is_reached_by_tls_alone(stack: Stack, database: Outside) -> None:
    assert stack
    encrypted = database.run(
        "SELECT count(*) > 0, bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0"
    )
    assert encrypted == [(True, True)]


# every network leads to this machine, an internal one too: here it is told by having none at all
@pytest.mark.parametrize(("part", "reaches"), [("registry", True), ("postgres", False)])
def test_part_reaches_what_is_outside_or_does_not(stack: Stack, storage: Storage, part: str, *, reaches: bool) -> None:
    port = storage.url.rpartition(":")[2]
    tried = stack.run_in(part, "timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{HERE}/{port}")
    assert tried.ok is reaches
