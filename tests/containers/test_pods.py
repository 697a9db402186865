"""Two pods of one instance, as they are rendered, behind what a Service does: each is lost, no push is.

Run by `./breakwater test-all`: it takes minutes, and a machine to itself.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.clients.balancer import Balancer
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.clients.registry import RegistryClient
from tests.clients.rest import RestClient
from tests.containers.load import Load, check
from tests.containers.outsiders import PASSWORD, Outsiders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.containers.pod import Pod
    from tests.containers.stack import Stack
    from tests.outside import Outside
    from tests.outside_broker import OutsideBroker
    from tests.s3 import Storage

# the first test waits until the images are built
pytestmark = [pytest.mark.timeout(2400), pytest.mark.cluster]

SCHEDULE: Final = "/system/gc/schedule"
PROJECT: Final = "under-load"
CALM_SECONDS: Final = 3.0
MIB: Final = 2**20


class Pods:
    """Two of them, and the one address of both."""

    def __init__(self, built: Stack, outsiders: Outsiders, balancer: Balancer) -> None:
        self._built = built
        self._outsiders = outsiders
        self._balancer = balancer
        self.each: dict[int, Pod] = {}
        self.url = balancer.url

    def start(self, number: int, broker: OutsideBroker | None = None) -> None:
        """As a StatefulSet does; it is led to once it is ready."""
        pod = self.each[number] = self._outsiders.pod(self._built, number)
        if broker:
            self._outsiders.start_first(pod, broker)
        else:
            pod.start()
        self._balancer.ready.add(pod.port)

    def lose(self, number: int) -> str:
        """All its containers and their network at once, as with its node; returns the address that it had.

        That it does not answer is seen only then.
        """
        pod = self.each.pop(number)
        address = pod.address
        pod.kill()
        time.sleep(CALM_SECONDS)
        self._balancer.ready.discard(pod.port)
        pod.remove()
        return address

    def remove(self) -> None:
        for pod in self.each.values():
            pod.remove()


@pytest.fixture(scope="module")
def pods(
    built: Stack, database: Outside, broker: OutsideBroker, storage: Storage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pods]:
    values = {"replicas": 2, "storage": {"secrets": {"shared": True}}}
    outsiders = Outsiders(tmp_path_factory.mktemp("pods"), database, broker, storage, values)
    with Balancer() as balancer:
        pods = Pods(built, outsiders, balancer)
        try:
            pods.start(0, broker)
            pods.start(1)
            yield pods
        finally:
            pods.remove()


@pytest.fixture
def two(pods: Pods) -> Iterator[tuple[RegistryClient, RegistryClient]]:
    """A client of each."""
    first, second = (RegistryClient(pods.each[number].url, "admin", PASSWORD) for number in (0, 1))
    yield first, second
    for each in (first, second):
        each.close()


def test_what_is_pushed_to_one_is_pulled_from_the_other_with_a_token_of_either(
    two: tuple[RegistryClient, RegistryClient],
) -> None:
    first, second = two
    image = make_image("both", layers=2)
    assert first.push("library/both", "v1", image).status_code == requests.codes.created
    assert second.pull("library/both", "v1").ok
    token = first.token("repository:library/both:pull")
    got = second.send("GET", f"/v2/library/both/blobs/{image.layers[0].digest}", token=token)
    assert got.content == image.layers[0].content


def test_what_is_deleted_by_one_the_other_does_not_remember(two: tuple[RegistryClient, RegistryClient]) -> None:
    first, _ = two
    image = make_image("forgotten")
    assert first.push("library/forgotten", "v1", image).ok
    for client in two:
        assert client.get_manifest("library/forgotten", image.digest).ok
    assert first.delete_manifest("library/forgotten", image.digest).ok
    for client in two:
        assert client.get_manifest("library/forgotten", image.digest).status_code == requests.codes.not_found


def test_an_upload_goes_on_at_the_other(two: tuple[RegistryClient, RegistryClient]) -> None:
    """As it does where each request is led anew; a storage takes parts of 5 MiB and more."""
    blob = make_image("upload", layer_size=13 * MIB).layers[0]
    scope = "repository:library/upload:pull,push"
    answer = two[0].send("POST", "/v2/library/upload/blobs/uploads/", scope, data=b"")
    sent = 0
    for turn, size in enumerate((6 * MIB, MIB, len(blob.content)), start=1):
        part = blob.content[sent:sent + size]
        place = answer.headers["Location"].partition("/v2/")[2]
        headers = {"Content-Type": "application/octet-stream", "Content-Range": f"{sent}-{sent + len(part) - 1}"}
        answer = two[turn % 2].send("PATCH", f"/v2/{place}", scope, data=part, headers=headers)
        assert answer.status_code == requests.codes.accepted, answer.text
        sent += len(part)
    place = answer.headers["Location"].partition("/v2/")[2]
    ended = two[0].send("PUT", f"/v2/{place}{'&' if '?' in place else '?'}digest={blob.digest}", scope, data=b"")
    assert ended.status_code == requests.codes.created, ended.text
    assert two[1].get_blob("library/upload", blob.digest).content == blob.content


def test_no_garbage_is_collected_while_there_are_two(pods: Pods, broker: OutsideBroker) -> None:
    assert broker
    for pod in pods.each.values():
        admin = RestClient(pod.url, "admin", PASSWORD)
        asked = admin.send("POST", SCHEDULE, json={"schedule": {"type": "Manual"}, "parameters": {}})
        assert asked.status_code == requests.codes.conflict
        assert "where one registry runs alone" in json.dumps(asked.json())
        admin.close()


def test_each_pod_is_lost_under_load_and_no_push_is_lost_or_doubled(pods: Pods, database: Outside) -> None:
    admin = RestClient(pods.url, "admin", PASSWORD)
    admin.create_project(PROJECT)
    with Load(pods.url, PASSWORD, PROJECT) as load:
        eventually(lambda: load.pushed, within=60, what="a first push")
        for number in (1, 0):
            time.sleep(CALM_SECONDS)
            before = len(load.pushed)
            address = pods.lose(number)
            held = f"SELECT 1 FROM pg_stat_activity WHERE client_addr = '{address}'"  # noqa: S608 - the engine's own address
            assert database.run(held), "the server knows at once of what nobody has told it: nothing is tested here"
            eventually(
                lambda before=before: len(load.pushed) > before + 1,  # type: ignore[misc]  # mypy takes no default
                within=60, what="pushes go on by the other one",
            )
            eventually(
                lambda held=held: not database.run(held),  # type: ignore[misc]  # as above
                within=60, what="the database lets go of what the lost one held", every=1,
            )
            pods.start(number)
        time.sleep(CALM_SECONDS)
        load.end()
        print("\n".join(f"{kind}: {dict(load.count(kind))}" for kind in ("login", "push", "pull")))  # noqa: T201 - shown where the test fails, and by `-s`
        assert load.failed() == []
        check(admin, load)
    admin.close()
