"""What an operator asks of the containers: how each part is, and to collect garbage."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as read_text

from compose.local.options import CHECKOUT
from compose.local.parts import SERVICES
from tests.clients import collecting
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.containers.stack import BASE

if TYPE_CHECKING:
    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)


HOME: Final = "/var/lib/breakwater"
OFFICIAL: Final = "registry:2.8.3"
ASKING: Final = """
import json, socket
asked = socket.socket(socket.AF_UNIX)
asked.connect("/var/lib/breakwater/run/registryctl.sock")
asked.sendall(json.dumps({"secret": "a guess", "collect": "for-good"}).encode() + b"\\n")
print(asked.makefile().read())
"""
WHOLE: Final = """
from compose.registryctl import health, parent
from shared.registry.bucket import Bucket
print("whole")
"""
"""All that the parent may come to import, and nothing else of ours is there."""


def is_stored(stack: Stack, digest: str) -> bool:
    algorithm, _, digits = digest.partition(":")
    folder = f"{HOME}/registry/docker/registry/v2/blobs/{algorithm}/{digits[:2]}/{digits}"
    return stack.run_in("registry", "test", "-e", f"{folder}/data").ok


def is_under_way(stack: Stack) -> bool:
    return stack.run_in("proxy", "test", "-e", f"{HOME}/run/collecting").ok


def test_a_collection_frees_bytes_after_a_dry_run_has_named_them(
    stack: Stack, admin: RestClient, password: str
) -> None:
    repository, image, registry = "library/freed", make_image("freed", layer_size=100_000), stack.registry(password)
    assert registry.push(repository, "v1", image).ok
    assert registry.delete_manifest(repository, image.digest).ok
    number = collecting.begin(admin, dry_run=True)
    assert collecting.ended(admin, number)["job_status"] == "Success"
    assert image.digest in collecting.log_of(admin, number)
    assert is_stored(stack, image.layers[0].digest)
    freed = json.loads(collecting.collect(admin)["job_parameters"])
    assert freed["freed_space"] >= image.size
    assert freed["purged_blobs"] >= len((image.manifest, *image.blobs))
    assert not is_stored(stack, image.layers[0].digest)
    assert not registry.has_blob(repository, image.layers[0].digest)


def test_meanwhile_pulls_go_on_and_pushes_are_refused_and_then_taken_again(
    stack: Stack, admin: RestClient, password: str
) -> None:
    registry = stack.registry(password)
    assert registry.push("library/kept", "v1", make_image("kept")).ok
    number, refused, pulls = collecting.begin(admin), 0, []
    while admin.get(f"/system/gc/{number}")["job_status"] not in collecting.ENDED:
        answer = registry.push("library/meanwhile", "v1", make_image("meanwhile"))
        refused += answer.status_code == requests.codes.forbidden and collecting.SENTENCE in answer.text
        pulls.append(registry.pull("library/kept", "v1").status_code)
    assert collecting.ended(admin, number)["job_status"] == "Success", collecting.log_of(admin, number)
    assert refused
    assert {*pulls} == {requests.codes.ok}
    assert registry.push("library/meanwhile", "v2", make_image("after")).ok
    assert registry.pull("library/meanwhile", "v2").ok


def test_registry_that_is_killed_in_a_collection_comes_back_and_takes_pushes(
    stack: Stack, admin: RestClient, password: str
) -> None:
    restarts, registry = stack.container("registry").restarts, stack.registry(password)
    number = collecting.begin(admin)
    eventually(lambda: is_under_way(stack), within=20, what="a collection under way", every=0)
    stack.kill("registry")
    assert collecting.ended(admin, number)["job_status"] == "Error"
    eventually(
        lambda: stack.container("registry").restarts > restarts and stack.container("registry").healthy,
        within=60, what="it is back", every=0.5,
    )
    assert not is_under_way(stack)
    assert registry.push("library/after-the-kill", "v1", make_image("after-the-kill")).ok
    assert registry.pull("library/after-the-kill", "v1").ok
    collecting.collect(admin)


def test_registry_that_is_stopped_in_a_collection_puts_back_what_it_had_put_aside(
    stack: Stack, admin: RestClient, password: str
) -> None:
    registry, container = stack.registry(password), str(stack.container("registry").told["Id"])
    number = collecting.begin(admin)
    eventually(lambda: is_under_way(stack), within=20, what="a collection under way", every=0)
    try:
        assert stack.docker.run("stop", container).ok
        assert not is_under_way(stack)
        # it has ended by itself: the engine's patience was not over
        assert stack.container("registry").told["State"]["ExitCode"] == 0
        assert collecting.ended(admin, number)["job_status"] in {"Stopped", "Error"}
    finally:
        assert stack.docker.run("start", container).ok
    eventually(lambda: stack.container("registry").healthy, within=60, what="it is back", every=0.5)
    assert registry.push("library/after-the-stop", "v1", make_image("after-the-stop")).ok
    assert registry.pull("library/after-the-stop", "v1").ok
    collecting.collect(admin)


def test_whoever_reaches_the_registry_s_parent_without_its_credential_commands_nothing(stack: Stack) -> None:
    done = stack.run_in("core", "python", "-c", ASKING)
    assert done.ok, done.said
    assert json.loads(done.out) == {"ended": "Error", "reason": "this credential commands nothing here"}
    assert not is_under_way(stack)


def test_health_check_of_the_registry_is_not_content_while_its_parent_alone_is_there(stack: Stack) -> None:
    """A socket that nobody listens at, and one of another kind."""
    check = ("python3", "-S", "-m", "compose.registryctl.health")
    assert stack.run_in("registry", *check, f"{HOME}/run/registry.sock").ok
    for other in ("registry-readonly.sock", "registryctl.sock"):
        assert not stack.run_in("registry", *check, f"{HOME}/run/{other}").ok


def test_form_of_official_images_takes_the_registry_s_program_from_where_its_image_has_it(stack: Stack) -> None:
    """That image cannot be pulled here: one that has a program in the same place stands in for it."""
    docker, made = stack.docker, "breakwater-test-official"
    assert not docker.run("image", "inspect", OFFICIAL).ok
    try:
        assert docker.run("tag", "breakwater-registry", OFFICIAL).ok
        done = docker.run(
            "build", "--file", str(CHECKOUT / "compose" / "docker" / "Dockerfile"), "--target", "registry",
            "--build-arg", f"BASE={BASE}", "--tag", made, str(CHECKOUT), timeout=900,
        )  # fmt: skip
        assert done.ok, done.said
        version, there = (
            docker.run("run", "--rm", "--entrypoint", "/bin/registry", image, "--version").out
            for image in (made, OFFICIAL)
        )
        assert version == there
        assert " 2." in version or " v2." in version, version
        parent = docker.run("run", "--rm", "--entrypoint", "/opt/venv/bin/python", made, "-S", "-c", WHOLE)
        assert parent.out == "whole\n", parent.said
    finally:
        docker.run("rmi", made, OFFICIAL)


def test_one_scrape_tells_of_every_part(stack: Stack, password: str) -> None:
    def told() -> bool:
        answer = requests.get(f"{stack.url}/metrics", auth=("admin", password), timeout=10)
        assert answer.ok, answer.text
        samples = [sample for family in read_text(answer.text) for sample in family.samples]
        up = {each.labels["part"]: each.value for each in samples if each.name == "breakwater_up"}
        transferred = {each.labels["kind"] for each in samples if each.name == "breakwater_transfers_total"}
        every = dict.fromkeys((*SERVICES, "postgres", "rabbitmq", "registry", "proxy"), 1)
        return up == every and {"blob", "upload"} <= transferred

    client = stack.registry(password)
    client.push("library/told", "v1", make_image("told"))
    assert client.pull("library/told", "v1").ok
    client.close()
    eventually(told, within=60, what="every part tells of itself")
