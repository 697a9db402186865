"""The chart's pod with a database, a broker and a bucket outside: started as docs/helm.md tells, at work, and anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.registry import RegistryClient
from tests.clients.rest import RestClient
from tests.containers.outsiders import PASSWORD, TOLD, Outsiders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.containers.pod import Pod
    from tests.containers.stack import Stack
    from tests.outside import Outside
    from tests.outside_broker import OutsideBroker
    from tests.s3 import Storage

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

IMAGE: Final = make_image("pod-outside", layers=2)


@pytest.fixture(scope="module")
def outsiders(
    database: Outside, broker: OutsideBroker, storage: Storage, tmp_path_factory: pytest.TempPathFactory
) -> Outsiders:
    return Outsiders(tmp_path_factory.mktemp("pod-outside"), database, broker, storage, {})


@pytest.fixture(scope="module")
def pod(built: Stack, outsiders: Outsiders, broker: OutsideBroker) -> Iterator[Pod]:
    pod = outsiders.pod(built)
    try:
        outsiders.start_first(pod, broker)
        yield pod
    finally:
        pod.remove()


def test_a_push_goes_by_all_three(pod: Pod, database: Outside, storage: Storage, broker: OutsideBroker) -> None:
    registry, admin = RegistryClient(pod.url, "admin", PASSWORD), RestClient(pod.url, "admin", PASSWORD)
    assert registry.push("library/app", "v1", IMAGE).status_code == requests.codes.created
    for blob in IMAGE.blobs:
        assert registry.get_blob("library/app", blob.digest).content == blob.content
    eventually(lambda: admin.artifacts("library/app"), within=60, what="it is catalogued", every=0.5)
    eventually(
        lambda: {row["operation"] for row in admin.audit("library")} >= {"create"}, within=60, what="it is on record",
        every=0.5,
    )  # fmt: skip
    assert database.run("SELECT name FROM core.tags", "images") == [("v1",)]
    assert storage.in_folder("pod").holds("docker/registry/v2/blobs")
    users = broker.rabbit.control("list_connections", "user", "ssl").splitlines()
    assert {f"breakwater-{part}\ttrue" for part in ("relay", "audit", "metadata", "webhook", "replication")} <= {*users}
    assert database.run(
        "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port > 0"
    ) == [(True,)]
    assert admin.get("/health")["status"] == "healthy"


def test_it_claims_a_volume_for_its_secrets_alone_and_runs_none_of_the_servers(pod: Pod, outsiders: Outsiders) -> None:
    given = {f"given-for-{server}" for server in outsiders.authorities}
    assert {path.name for path in (outsiders.folder / "0").iterdir()} == {"run", "handed-out", "scratch", *given}
    assert {path.name for path in outsiders.folder.iterdir()} == {"0", "secrets"}
    for server in ("postgres", "rabbitmq"):
        assert not pod.run_in(server, "true").ok


def test_next_pod_finds_all_of_it_and_does_not_ask_to_be_made_known_again(
    built: Stack, pod: Pod, outsiders: Outsiders, database: Outside
) -> None:
    recorded = database.run("SELECT count(*) FROM audit.records", "images")
    pod.stop()
    pod.remove()
    after = outsiders.pod(built)
    try:
        after.start()
        assert TOLD not in after.said("migrate")
        registry = RegistryClient(after.url, "admin", PASSWORD)
        assert registry.pull("library/app", "v1").ok
        assert registry.push("library/app", "v2", make_image("after")).status_code == requests.codes.created
        eventually(
            lambda: database.run("SELECT count(*) FROM audit.records", "images") > recorded,
            within=60, what="the record goes on", every=0.5,
        )
    finally:
        after.remove()
