"""The chart's pod, started as it is rendered: what it keeps, what it opens, how it ends and how it starts anew."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
import requests

from compose.local.certificate import make_certificate
from compose.local.parts import PARTS
from tests.clients import collecting, helm
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.registry import RegistryClient
from tests.clients.rest import RestClient
from tests.containers.pod import IMAGES, Pod
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

PASSWORD: Final = "First-0f-all"
SECRETS: Final = {"breakwater-admin/password": PASSWORD}
INNER_PORTS: Final = (4369, 5001, 5672, 25672)
IMAGE: Final = make_image("pod")
REFUSED: Final = 111
PYTHON_ALONE: Final = ("intake", "relay", "audit", "metadata", "webhook", "replication")
"""Parts that say so when they have ended well."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the claims lie."""
    return tmp_path_factory.mktemp("pod")


@pytest.fixture(scope="module")
def pod(built: Stack, folder: Path) -> Iterator[Pod]:
    pod = Pod(built.docker, helm.render({"images": IMAGES}), folder=folder, port=free_port(), secrets=SECRETS)
    pod.remove()
    try:
        pod.start()
        yield pod
    finally:
        pod.remove()


@pytest.fixture(scope="module")
def admin(pod: Pod) -> RestClient:
    return RestClient(pod.url, "admin", PASSWORD)


def answers(pod: Pod, port: int) -> int:
    """0, or why a connection from outside the pod is not taken."""
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((pod.address, port))


def test_a_push_is_taken_recorded_and_catalogued(pod: Pod, admin: RestClient) -> None:
    """All parts have found each other: the record is at the end of the way by the intake and the broker."""
    registry = RegistryClient(pod.url, "admin", PASSWORD)
    assert registry.push("library/app", "v1", IMAGE).status_code == requests.codes.created
    assert registry.pull("library/app", "v1").ok
    eventually(
        lambda: {row["operation"] for row in admin.audit("library")} >= {"create", "pull"},
        within=60, what="the push and the pull are on record", every=0.5,
    )
    assert eventually(lambda: admin.artifacts("library/app"), within=60, what="it is catalogued")
    assert admin.get("/health")["status"] == "healthy"


def test_a_collection_takes_what_nothing_names_and_the_registry_takes_pushes_again(
    pod: Pod, admin: RestClient
) -> None:
    registry, image = RegistryClient(pod.url, "admin", PASSWORD), make_image("garbage", layer_size=100_000)
    assert registry.push("library/garbage", "v1", image).ok
    assert registry.delete_manifest("library/garbage", image.digest).ok
    assert json.loads(collecting.collect(admin)["job_parameters"])["freed_space"] >= image.size
    assert not registry.has_blob("library/garbage", image.layers[0].digest)
    assert registry.push("library/garbage", "v2", make_image("after-the-garbage")).ok


def test_from_outside_the_pod_the_proxy_s_port_alone_is_open(pod: Pod) -> None:
    assert answers(pod, 8080) == 0
    assert {port: answers(pod, port) for port in INNER_PORTS} == dict.fromkeys(INNER_PORTS, REFUSED)


@pytest.mark.parametrize("part", sorted({*PARTS} - {"log"}))
def test_container_reads_its_own_secrets_alone_and_writes_to_no_root(pod: Pod, part: str) -> None:
    found = pod.run_in(part, "sh", "-c", "find /var/lib/breakwater/secrets -name '*password*' -o -name '*.key'")
    own = {"token": {"token", "token/signing"}}.get(part, {part})
    folders = {line.removeprefix("/var/lib/breakwater/secrets/").rpartition("/")[0] for line in found.out.splitlines()}
    assert folders <= own
    assert "admin-password" not in found.out
    assert "root.key" not in found.out
    written = pod.run_in(part, "sh", "-c", "echo x >/here 2>/dev/null || echo refused")
    assert written.out.strip() == "refused"


def test_restarted_container_is_ready_again_and_is_not_taken_for_ready_before(pod: Pod) -> None:
    check = ("python", "-m", "compose.docker.health", "relay")
    assert pod.run_in("relay", *check).ok
    pod.restart("relay")
    eventually(lambda: not pod.run_in("relay", *check).ok, within=10, what="it is asked before it has begun", every=0)
    pod.await_ready()


@pytest.mark.parametrize("part", ["postgres", "rabbitmq", "registry", "core"])
def test_killed_container_comes_back_within_the_same_pod(pod: Pod, part: str) -> None:
    pod.restart(part)
    pod.await_ready()
    registry = RegistryClient(pod.url, "admin", PASSWORD)
    pushed = eventually(
        lambda: registry.push(f"library/after-{part}", "v1", make_image(part)), within=60, what="a push", every=0.5
    )
    assert pushed.status_code == requests.codes.created


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_next_pod_has_what_the_last_one_kept_and_the_settings_of_its_own(
    built: Stack, pod: Pod, admin: RestClient, folder: Path
) -> None:
    """As after an upgrade; this one is given a certificate."""
    identity = pod.run_in("core", "cat", "/var/lib/breakwater/instance-id").out
    recorded = {row["id"] for row in admin.audit("library")}
    assert identity
    assert pod.stop() < pod.grace_seconds / 3
    for part in PYTHON_ALONE:
        assert '"event": "stopped"' in pod.said(part), part
    # the database is asked to end once nobody asks it anything, and ends by itself
    *_, asked, after_that = pod.said("postgres").split("shutdown request\n")
    assert asked.endswith("received smart ")
    assert "database system is shut down" in after_that
    assert "FATAL" not in after_that
    pod.remove()

    chain, key = make_certificate(folder, ("registry.test",), datetime.now(UTC))
    given = folder / "given"
    given.mkdir()
    given.joinpath("tls.crt").write_bytes(chain.read_bytes())
    given.joinpath("tls.key").write_bytes(key.read_bytes())
    values = {"images": IMAGES, "tls": {"existingSecret": "certificate"}}
    port = free_port()
    after = Pod(built.docker, helm.render(values), folder=folder, port=port, secrets=SECRETS)
    try:
        after.start()
        assert after.run_in("core", "cat", "/var/lib/breakwater/instance-id").out == identity
        context = ssl.create_default_context(cafile=str(chain))
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with plain, context.wrap_socket(plain, server_hostname="registry.test") as connection:
            assert connection.getpeercert()
        system = requests.Session()
        system.trust_env, system.verify = False, False
        system.auth = ("admin", PASSWORD)
        url = f"https://127.0.0.1:{port}/api/v2.0"
        rows = system.get(f"{url}/projects/library/auditlog-exts", params={"page_size": 100}, timeout=10).json()
        assert recorded <= {row["id"] for row in rows}

        def verified() -> dict[str, object] | None:
            recent: dict[str, object] = system.get(f"{url}/system/audit-checks", timeout=10).json()[0]
            return recent if recent.get("verified_time", "") > before.isoformat() else None

        before = datetime.now(UTC)
        assert system.post(f"{url}/system/audit-checks", timeout=30).status_code == requests.codes.accepted
        checked = eventually(verified, within=60, what="the record is verified with the key that was kept", every=0.5)
        assert "broken" not in checked
        assert checked["links"] >= len(recorded)
    finally:
        after.remove()
