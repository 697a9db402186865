"""The form with official images, whose file is `compose.yaml` alone.

They cannot be pulled where the tests run. What stands in for them has Debian's programs of the same versions, and all
else as the Dockerfiles of those images have it: places, users, variables, volumes, entrypoints, configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from compose.local.options import CHECKOUT
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.containers.stack import BASE, Stack
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.rest import RestClient

pytestmark = [pytest.mark.timeout(2400), pytest.mark.cluster]

STANDING_IN: Final = {"postgres": "postgres:15", "rabbitmq": "rabbitmq:3.10", "nginx": "nginx:1.22"}
"""What stands in for an official image, by its stage in official.Dockerfile."""
TAGGED: Final = {BASE: "debian:12-slim", "breakwater-registry": "registry:2.8.3"}
BUILT: Final = ("breakwater", "breakwater-log", "breakwater-registry")
"""By the same names in both forms."""


@pytest.fixture(scope="module")
def official(built: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker, names = built.docker, (*STANDING_IN.values(), *TAGGED.values())
    stack = Stack(
        built.engine, tmp_path_factory.mktemp("official"), free_port(), project="breakwater-test-official",
        form=("compose.yaml",),
    )  # fmt: skip
    # what a run that was killed has left
    stack.remove()
    docker.run("rmi", *names)
    before = {name: docker.run("image", "inspect", "--format", "{{.Id}}", name).out.strip() for name in BUILT}
    try:
        for here, name in TAGGED.items():
            assert (done := docker.run("tag", here, name)).ok, done.said
        for stage, name in STANDING_IN.items():
            file = CHECKOUT / "tests" / "containers" / "official.Dockerfile"
            done = docker.run("build", "--file", str(file), "--target", stage, "--tag", name, str(file.parent))
            assert done.ok, done.said
        stack.compose("build", seconds=900)
        stack.up()
        yield stack
    finally:
        stack.remove()
        for name, image in before.items():
            docker.run("tag", image, name)
        docker.run("rmi", *names)


@pytest.fixture(scope="module")
def administrator(official: Stack) -> RestClient:
    return official.admin()


def test_docker_pushes_and_pulls_and_it_is_on_record(official: Stack, administrator: RestClient) -> None:
    docker, name = official.docker, f"{official.host}/library/official:v1"
    assert (done := docker.login(official.host, "admin", official.admin_password())).ok, done.said
    assert (done := docker.import_image(make_image("official").layers[0].content, name)).ok, done.said
    for words in (("push", name), ("rmi", name), ("pull", name), ("rmi", name)):
        assert (done := docker.run(*words)).ok, done.said
    eventually(
        lambda: {row["operation"] for row in administrator.audit("library")} >= {"create", "pull"},
        within=30, what="the push and the pull are on record", every=0.5,
    )
    assert eventually(lambda: administrator.artifacts("library/official"), within=30, what="it is catalogued")


@pytest.mark.parametrize("part", ["postgres", "rabbitmq", "proxy", "registry"])
def test_server_runs_as_in_the_other_form(official: Stack, part: str) -> None:
    container = official.container(part)
    status = container.status()
    assert status["Uid"].split()[0] == ("10000" if part == "proxy" else "999")
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert container.told["HostConfig"]["ReadonlyRootfs"] is True
    assert container.published == ([official.host] if part == "proxy" else [])
    assert official.lines(part)


def test_the_broker_reads_no_configuration_but_ours(official: Stack) -> None:
    """The image has some of its own, which opens an account that everybody knows."""
    told = official.run_in("rabbitmq", "sh", "-c", "grep -h 'config file' -A 2 /var/lib/breakwater/rabbitmq/log/*.log")
    said = told.out or "\n".join(official.lines("rabbitmq"))
    assert "/var/lib/breakwater/conf/rabbitmq.conf" in said
    assert "/etc/rabbitmq" not in said


def test_what_is_killed_comes_back_with_its_data(official: Stack, administrator: RestClient) -> None:
    for part in ("postgres", "rabbitmq", "registry", "proxy"):
        official.kill(part)
    official.await_health()
    password = official.admin_password()
    assert official.registry(password).pull("library/official", "v1").ok
    assert official.registry(password).push("library/official", "v2", make_image("official 2")).ok
    eventually(
        lambda: "library/official:v2" in {row["resource"] for row in administrator.audit("library")},
        within=60, what="a push is on record", every=0.5,
    )
