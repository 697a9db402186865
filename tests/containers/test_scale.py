"""Two of each part and a broker of three nodes: one of each is killed under load, and nothing is lost or doubled.

Run by `./breakwater test-all`: it takes minutes, and a machine to itself.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families as read_text

from compose.local.parts import SERVICES
from shared.metrics.recording import TELLING_SECONDS
from tests.clients import collecting
from tests.clients.images import make_image
from tests.clients.polling import eventually, settled
from tests.containers.load import Load, check
from tests.containers.stack import Stack
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.rest import RestClient

# the first test waits until the images are built
pytestmark = [pytest.mark.timeout(2400), pytest.mark.cluster]

NODES: Final = ("rabbitmq", "rabbitmq-2", "rabbitmq-3")
TWICE: Final = ("events", "intake", "relay", "audit", "webhook")
"""Of these one has the stream, the registry's connection or all of the work: both are killed, and so whoever has it."""
VICTIMS: Final = [(part, number) for part in SERVICES for number in ((1, 2) if part in TWICE else (1,))]
LEADER: Final = "leader"
"""Whichever node leads the record's queue at the time."""
PROJECT: Final = "under-load"
BACK_SECONDS: Final = 120
CALM_SECONDS: Final = 3.0
"""Between two kills the clients work undisturbed."""
QUEUES: Final = 25
ABSENT: Final = 300
"""Manifests that are asked for and are not there."""
TRANSFERS_SECONDS: Final = 50.0


@pytest.fixture(scope="module")
def scaled(built: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(
        built.engine, tmp_path_factory.mktemp("scaled"), free_port(), project="breakwater-test-scale",
        files=("compose.scale.yaml", "compose.scale.offline.yaml"), BREAKWATER_WORKERS="1",
    )
    stack.remove()
    try:
        stack.compose("up", "-d", seconds=400)
        await_all(stack)
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="module")
def admin(scaled: Stack) -> RestClient:
    return scaled.admin()


def everybody() -> list[tuple[str, int]]:
    return [*((part, number) for part in SERVICES for number in (1, 2)), *((node, 1) for node in NODES), ("proxy", 1)]


def await_all(stack: Stack, *, within: float = BACK_SECONDS) -> None:
    settled(
        lambda: [each for each in everybody() if not stack.container(*each).healthy], [], within=within,
        what="both of each part and all nodes are healthy", every=1,
    )


def leader(stack: Stack, queue: str) -> str:
    """The node that leads a queue, by the name of its service."""
    return queues(stack)[queue][1].partition("@")[2]


def queues(stack: Stack, asked: str = "rabbitmq") -> dict[str, tuple[int, str]]:
    """How many members each queue has, and its leader."""
    line = (
        "export HOME=/var/lib/breakwater/rabbitmq PATH=/opt/rabbitmq/sbin:$PATH "
        f"RABBITMQ_NODENAME=breakwater@{asked} RABBITMQ_CONF_ENV_FILE=/var/lib/breakwater/conf/rabbitmq-env.conf; "
        "rabbitmqctl --silent list_queues name members leader"
    )
    done = stack.run_in(asked, "sh", "-c", line)
    assert done.ok, done.said
    rows = [row.split("\t") for row in done.out.splitlines() if "\t" in row]
    return {name: (members.count("@"), led) for name, members, led in rows}


def test_the_log_holds_what_the_container_says_that_makes_the_queues(scaled: Stack) -> None:
    said = eventually(lambda: scaled.lines("cluster"), within=60, what="its line", every=0.5)
    assert said[-1].endswith("the broker has 3 nodes, and the queues are there")


def test_every_queue_is_on_every_node(scaled: Stack) -> None:
    found = queues(scaled)
    assert len(found) == QUEUES
    assert {members for members, _ in found.values()} == {len(NODES)}


@pytest.mark.parametrize("part", ["token", "core", "events"])
def test_equal_containers_have_sockets_of_their_own(scaled: Stack, part: str) -> None:
    held = {scaled.run_in(part, "cat", "/var/lib/breakwater/work/replica", number=number).out for number in (1, 2)}
    assert held == {"1\n", "2\n"}


def test_what_clients_transfer_is_counted_once_where_two_could(scaled: Stack) -> None:
    """Of a kind that no other test asks for, over several of the turns in which either core takes the lines away."""

    def counted() -> float:
        answer = requests.get(f"{scaled.url}/metrics", auth=("admin", scaled.admin_password()), timeout=10)
        assert answer.ok, answer.text
        samples = (each for family in read_text(answer.text) for each in family.samples)
        return sum(
            each.value for each in samples
            if each.name == "breakwater_transfers_total"
            and (each.labels["kind"], each.labels["method"], each.labels["status"]) == ("manifest", "HEAD", "404")
        )  # fmt: skip

    registry = scaled.registry(scaled.admin_password())
    for _ in range(ABSENT):
        assert registry.get_manifest("library/absent", "v1", method="HEAD").status_code == HTTPStatus.NOT_FOUND
        time.sleep(TRANSFERS_SECONDS / ABSENT)
    settled(counted, ABSENT, within=45, what="each is counted", every=1)
    time.sleep(2 * TELLING_SECONDS)
    assert counted() == ABSENT


def test_garbage_is_collected_once_where_two_could_ask_for_it(scaled: Stack, admin: RestClient) -> None:
    repository, image = "library/freed", make_image("freed", layer_size=100_000)
    registry = scaled.registry(scaled.admin_password())
    assert registry.push(repository, "v1", image).ok
    assert registry.delete_manifest(repository, image.digest).ok
    freed = json.loads(collecting.collect(admin)["job_parameters"])
    assert freed["freed_space"] >= image.size
    assert not registry.has_blob(repository, image.layers[0].digest)
    assert registry.push(repository, "v2", make_image("after the garbage")).ok
    assert registry.pull(repository, "v2").ok
    settled(
        lambda: len([row for row in admin.audit() if row["resource_type"] == "garbage_collection"]), 2, within=30,
        what="it is on record that it began once and ended once", every=1,
    )


@pytest.mark.parametrize(
    ("words", "begins"),
    [
        (("audit", "verify"), "the audit record is whole: "),
        (("events", "dead-letters"), "there are no dead letters"),
        (("reconcile",), "compared "),
    ],
)
def test_operator_s_verbs_find_whichever_is_there(scaled: Stack, words: tuple[str, ...], begins: str) -> None:
    done = scaled.operate(*words)
    assert (done.ok, done.err) == (True, "")
    assert done.out.startswith(begins)


def test_one_of_each_is_killed_under_load_and_nothing_is_lost_or_doubled(scaled: Stack, admin: RestClient) -> None:
    admin.create_project(PROJECT)
    told: list[str] = []
    with Load(scaled.url, scaled.admin_password(), PROJECT) as load:
        eventually(lambda: load.pushed, within=30, what="a first push")
        for part, number in [*VICTIMS, (LEADER, 1), (LEADER, 1)]:
            time.sleep(CALM_SECONDS)
            told.append(kill(scaled, load, leader(scaled, "audit") if part == LEADER else part, number))
        time.sleep(CALM_SECONDS)
        load.end()
        report = [*told, *(f"{kind}: {dict(load.count(kind))}" for kind in ("login", "push", "pull"))]
        print("\n".join(report))  # noqa: T201 - shown where the test fails, and by `-s`
        assert load.failed() == []
        assert len(load.pushed) > len(told)
        # whoever had the stream was killed, and the other one has taken it up
        assert len(load.streams) > 1
        check(admin, load)


def kill(stack: Stack, load: Load, service: str, number: int) -> str:
    """Returns how long it was away, and which acts had to be tried again meanwhile."""
    began, before = time.time(), stack.container(service, number)
    stack.kill(service, number)

    def is_back() -> bool:
        now = stack.container(service, number)
        return now.restarts > before.restarts and now.healthy

    eventually(is_back, within=BACK_SECONDS, what=f"{service} {number} is back", every=0.5)
    retried = [act for act in load.refused() if act.began >= began - 1]
    said = Counter(f"{act.kind} {act.refusals[0][:90]}" for act in retried)
    return f"{service} {number}: back after {time.time() - began:.0f} s, tried again: {dict(said)}"
