"""Replication through faults, each made on purpose: afterwards both sides hold the same, and nothing was sent in vain.

The order matters: a target that is away and one that hangs are begun first and looked at last, so that their minutes
pass beside the other tests.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.between import Between, Wrong, between
from tests.clients.images import Image, make_image, make_index
from tests.clients.polling import eventually, settled
from tests.e2e.replicating import (
    POLICIES,
    Replicating,
    digest_of,
    push_to,
    replicating,
    state_of,
    whole_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.clients.registry import RegistryClient
    from tests.e2e.system import System

pytestmark = pytest.mark.fault

MEBIBYTE: Final = 1024**2
CHUNK: Final = 10 * MEBIBYTE
SLOW: Final = 1024
"""KiB a second: so that there is time to break something."""
UPLOADS: Final = "/blobs/uploads/"


@dataclass(kw_only=True)
class Waiting:
    """Something that was begun early, and what is to come of it."""

    replication: Replicating
    proxy: Between
    project: str
    policy: int
    wanted: dict[str, str] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def repository(self) -> str:
        return f"{self.project}/app"

    def health(self) -> tuple[str, bool]:
        """How the target is, as was found in the background, and whether a reason is told."""
        policy = self.replication.api.get(f"{POLICIES}/{self.policy}")
        shown = self.replication.api.get(f"/registries/{policy['dest_registry']['id']}")
        return shown["status"], "no connection can be made" in shown.get("status_text", "")


@pytest.fixture(scope="module")
def away(fragile: System, system: System) -> Iterator[Waiting]:
    """A target that is away when something is pushed and something is deleted here; nobody does anything about it."""
    with between(system.url) as proxy, replicating(fragile) as replication:
        project = fragile.new_project()
        policy = replication.policy(
            project, to=replication.instance(system, url=proxy.url), event=True, deletion=True,
        )
        waiting = Waiting(replication=replication, proxy=proxy, project=project, policy=policy)
        early = push_to(fragile, waiting.repository, "early", make_image(f"{project}/early"))
        target = system.registry()
        settled(lambda: state_of(target, waiting.repository), {"early": early}, within=15, what="the first push there")
        # the target has it a moment before the policy has it on record, and deletions follow what is on record
        settled(lambda: replication.is_at_rest(policy), True, within=15, what="its copy is settled")
        proxy.down()
        for tag in ("late", "later"):
            waiting.wanted[tag] = push_to(fragile, waiting.repository, tag, make_image(f"{project}/{tag}"))
        fragile.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/early/tags/early")
        yield waiting


@pytest.fixture(scope="module")
def hanging(fragile: System, system: System) -> Iterator[Waiting]:
    """A run whose target takes a connection, and then says nothing on it."""
    with between(system.url) as proxy, replicating(fragile) as replication:
        project = fragile.new_project()
        policy = replication.policy(project, to=replication.instance(system, url=proxy.url))
        waiting = Waiting(replication=replication, proxy=proxy, project=project, policy=policy)
        image = make_image(project, layers=3)
        waiting.wanted["v1"] = push_to(fragile, waiting.repository, "v1", image)
        proxy.once("HEAD", "/manifests/v1", Wrong(hangs=True))
        replication.begin(policy)
        yield waiting


@pytest.fixture
def here(fragile: System, away: Waiting, hanging: Waiting) -> Iterator[Replicating]:  # noqa: ARG001 - their minutes begin
    with replicating(fragile) as replication:
        yield replication


@pytest.fixture
def target(system: System) -> RegistryClient:
    return system.registry()


@pytest.fixture
def proxy(system: System) -> Iterator[Between]:
    """The way to the shared instance, on which things go wrong."""
    with between(system.url) as standing:
        yield standing


def unauthorized(system: System, proxy: Between) -> Wrong:
    """What a registry says of a token that has ended."""
    told = system.registry().challenge()
    realm = told["realm"].replace(system.url, proxy.url)
    return Wrong(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="{told["service"]}"'})


def arrived_once(proxy: Between, image: Image) -> None:
    """Whether each blob was sent to its end once, and no more often."""
    assert proxy.stored() == {blob.digest: 1 for blob in image.blobs}


def parts(fragile: System) -> dict[str, int]:
    """The part that replicates, by its process."""
    return {"replication": fragile.instance.pids("replication")[0]}


# the other side does wrong

PUSHING: Final[dict[str, Callable[[Between, System, Image], None]]] = {
    "a 500 for the beginning of an upload": lambda proxy, _system, _image: proxy.once(
        "POST", UPLOADS, Wrong(status=500),
    ),
    "500s for the end of an upload": lambda proxy, _system, _image: proxy.first(2, "PUT", UPLOADS, Wrong(status=500)),
    "a 500 for the manifest": lambda proxy, _system, _image: proxy.once("PUT", "/manifests/v1", Wrong(status=500)),
    "a 502 of its proxy": lambda proxy, _system, _image: proxy.once("HEAD", "/manifests/v1", Wrong(status=502)),
    "a 429 with a pause": lambda proxy, _system, _image: proxy.once(
        "POST", UPLOADS, Wrong(status=429, headers={"Retry-After": "3"}),
    ),
    "a 503 with a pause": lambda proxy, _system, _image: proxy.once(
        "PUT", "/manifests/v1", Wrong(status=503, headers={"Retry-After": "1"}),
    ),
    "a 507 for want of room": lambda proxy, _system, _image: proxy.once("POST", UPLOADS, Wrong(status=507)),
    "a connection that breaks in a blob": lambda proxy, _system, image: proxy.once(
        "PUT", f"digest={image.layers[0].digest.replace(':', '%3A')}", Wrong(cut_request=100_000),
    ),
    "a token that breaks off": lambda proxy, _system, _image: proxy.once("GET", "/token", Wrong(cut_answer=20)),
    "a token that has ended in an upload": lambda proxy, system, _image: proxy.first(
        2, "PUT", UPLOADS, unauthorized(system, proxy),
    ),
    "a manifest whose answer is lost": lambda proxy, _system, _image: proxy.once(
        "PUT", "/manifests/v1", Wrong(lost=True),
    ),
    "a token that has ended for a manifest": lambda proxy, system, _image: proxy.once(
        "PUT", "/manifests/v1", unauthorized(system, proxy),
    ),
}


@pytest.mark.parametrize("wrong", PUSHING)
def test_a_push_gets_through_and_sends_no_blob_twice(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between, wrong: str,
) -> None:
    project = fragile.new_project()
    image = make_image(project, layers=3, layer_size=200_000)
    digest = push_to(fragile, f"{project}/app", "v1", image)
    policy = here.policy(project, to=here.instance(system, url=proxy.url))
    PUSHING[wrong](proxy, system, image)
    here.run(policy, within=40)
    assert proxy.wronged > 0
    assert state_of(target, f"{project}/app") == {"v1": digest}
    assert whole_at(target, f"{project}/app", "v1")
    arrived_once(proxy, image)


def test_what_arrived_without_an_answer_is_taken_back_where_it_is_deleted_before_the_next_attempt(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between,
) -> None:
    project = fragile.new_project()
    kept, image = make_image(f"{project}/kept"), make_image(project)
    registry = here.instance(system, url=proxy.url)
    policy = here.policy(project, to=registry, event=True, deletion=True)
    proxy.once("PUT", "/manifests/v1", Wrong(lost=True))
    push_to(fragile, f"{project}/app", "v1", image)
    settled(lambda: digest_of(target, f"{project}/app", "v1"), image.digest, within=20, what="it has arrived")
    proxy.down()
    try:
        assert fragile.registry().delete_manifest(f"{project}/app", image.digest).ok
        push_to(fragile, f"{project}/app", "v2", kept)
    finally:
        proxy.up()
    settled(
        lambda: state_of(target, f"{project}/app"), {"v2": kept.digest}, within=60, what="both hold the same",
    )
    settled(lambda: here.is_at_rest(policy), True, within=20, what="nothing is under way")


def test_a_target_whose_disk_was_nearly_full_gets_all_once_it_has_room(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project = fragile.new_project()
    digest = push_to(fragile, f"{project}/app", "v1", make_image(project))
    policy = here.policy(project, to=here.instance(system))
    flag = system.settings.readonly_flag
    flag.touch()
    try:
        run = here.begin(policy)
        eventually(
            lambda: [task["fault"] for task in here.tasks(run) if task.get("fault")] == ["overloaded"], within=20,
            what="the refusal of the first attempt",
        )
        assert digest_of(target, f"{project}/app", "v1") is None
    finally:
        flag.unlink(missing_ok=True)
    (task,) = here.tasks(run)
    assert "disk is nearly full" in task["status_text"]
    assert here.ended(run, within=60)["status"] == "Succeed"
    assert state_of(target, f"{project}/app") == {"v1": digest}


PULLING: Final[dict[str, tuple[str, Wrong]]] = {
    "a blob of another digest": ("/blobs/", Wrong(altered=True)),
    "a blob that breaks off": ("/blobs/", Wrong(cut_answer=100_000)),
    "a 500 for a blob": ("/blobs/", Wrong(status=500)),
    "a manifest of another digest": ("/manifests/", Wrong(altered=True)),
    "a manifest that breaks off": ("/manifests/", Wrong(cut_answer=50)),
    "a 429 with a pause": ("/manifests/", Wrong(status=429, headers={"Retry-After": "1"})),
    "a list that breaks off": ("/artifacts", Wrong(cut_answer=50)),
}


@pytest.mark.parametrize("wrong", PULLING)
def test_a_pull_gets_what_the_source_holds_and_nothing_else(
    fragile: System, system: System, here: Replicating, proxy: Between, wrong: str,
) -> None:
    theirs, mine = system.new_project(), fragile.new_project()
    image = make_image(theirs, layers=2, layer_size=200_000)
    digest = push_to(system, f"{theirs}/app", "v1", image)
    policy = here.policy(theirs, source=here.instance(system, url=proxy.url), dest_namespace=mine)
    part, fault = PULLING[wrong]
    proxy.once("GET", part, fault)
    here.run(policy, within=40)
    assert proxy.wronged == 1
    registry = fragile.registry()
    assert state_of(registry, f"{mine}/app") == {"v1": digest}
    assert whole_at(registry, f"{mine}/app", "v1")


@pytest.mark.parametrize("status", [401, 502])
def test_of_a_blob_in_chunks_only_the_chunk_that_went_wrong_is_sent_again(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between, status: int,
) -> None:
    project = fragile.new_project()
    image = make_image(project, layer_size=CHUNK + MEBIBYTE)
    digest = push_to(fragile, f"{project}/app", "v1", image)
    policy = here.policy(project, to=here.instance(system, url=proxy.url), copy_by_chunk=True)
    wrong = unauthorized(system, proxy) if status == 401 else Wrong(status=status)
    proxy.rules.append(
        lambda method, _target: wrong if method == "PATCH" and proxy.uploaded > CHUNK and not proxy.wronged else None,
    )
    here.run(policy)
    assert proxy.wronged == 1
    assert state_of(target, f"{project}/app") == {"v1": digest}
    arrived_once(proxy, image)
    assert proxy.uploaded < CHUNK + 3 * MEBIBYTE


def test_a_target_that_is_away_for_seconds_is_tried_again(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between,
) -> None:
    project = fragile.new_project()
    image = make_image(project, layers=2, layer_size=2 * MEBIBYTE)
    digest = push_to(fragile, f"{project}/app", "v1", image)
    policy = here.policy(project, to=here.instance(system, url=proxy.url), speed=SLOW)
    run = here.begin(policy)
    eventually(lambda: proxy.uploaded > MEBIBYTE, within=15, what="it is half there")
    proxy.down()
    eventually(
        lambda: [task for task in here.tasks(run) if task["status"] == "Pending" and task["fault"] == "unreachable"],
        within=20, what="it waits for another attempt", every=0.2,
    )
    proxy.up()
    ended = here.ended(run, within=40)
    assert ended["status"] == "Succeed", here.account_of(ended)
    assert state_of(target, f"{project}/app") == {"v1": digest}
    arrived_once(proxy, image)


def test_a_target_that_hangs_is_left_for_another_attempt(hanging: Waiting, system: System) -> None:
    (run,) = hanging.replication.runs(hanging.policy)
    ended = hanging.replication.ended(run["id"], within=max(5.0, hanging.began + 90 - time.monotonic()))
    assert ended["status"] == "Succeed", hanging.replication.account_of(ended)
    (task,) = hanging.replication.tasks(run["id"])
    assert task["attempts"] == 2
    assert "nothing came in time" in hanging.replication.log(run["id"], task["id"])
    assert state_of(system.registry(), hanging.repository) == hanging.wanted
    assert set(hanging.proxy.stored().values()) == {1}


def test_a_target_that_stays_away_is_given_up_with_its_reason(away: Waiting, system: System) -> None:
    settled(
        lambda: away.replication.is_at_rest(away.policy), True, what="no task waits any more", every=0.5,
        within=max(5.0, away.began + 120 - time.monotonic()),
    )
    failed = [run for run in away.replication.runs(away.policy) if run["status"] == "Failed"]
    assert failed
    tasks = [task for run in failed for task in away.replication.tasks(run["id"])]
    assert {task["fault"] for task in tasks if task["status"] == "Failed"} == {"unreachable"}
    assert "no connection can be made" in tasks[0]["status_text"]
    assert "late" not in state_of(system.registry(), away.repository)
    assert away.health() == ("unhealthy", True)
    away.proxy.up()


# parts of this instance go away

def test_the_part_killed_in_a_blob_goes_on_where_it_is_started_again(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between,
) -> None:
    project = fragile.new_project()
    image, index = make_image(project, layer_size=4 * MEBIBYTE), make_index(project)
    wanted = {tag: push_to(fragile, f"{project}/app", tag, made) for tag, made in (("v1", image), ("v2", index))}
    policy = here.policy(project, to=here.instance(system, url=proxy.url), speed=SLOW)
    run = here.begin(policy)
    eventually(lambda: proxy.uploaded > 2 * MEBIBYTE, within=15, what="the blob is half there")
    before = parts(fragile)
    fragile.instance.kill_part("replication", signal.SIGKILL)
    ended = here.ended(run, within=60)
    assert parts(fragile) != before
    assert ended["status"] == "Succeed", here.account_of(ended)
    assert state_of(target, f"{project}/app") == wanted
    assert whole_at(target, f"{project}/app", "v1")
    assert set(proxy.stored().values()) == {1}


def test_without_the_broker_a_run_succeeds_and_pushes_arrive_once_it_is_back(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project = fragile.new_project()
    early, late = make_image(f"{project}/early"), make_image(f"{project}/late")
    push_to(fragile, f"{project}/app", "early", early)
    registry = here.instance(system)
    policy = here.policy(project, to=registry)
    fragile.instance.stop_part("rabbitmq")
    try:
        here.run(policy)
        assert state_of(target, f"{project}/app") == {"early": early.digest}
        here.policy(project, to=registry, event=True)
        assert fragile.registry().push(f"{project}/app", "late", late).ok
    finally:
        fragile.start_part("rabbitmq")
    settled(
        lambda: digest_of(target, f"{project}/app", "late"), late.digest, within=60, what="the push arrives",
    )


def test_with_postgresql_restarted_a_run_ends_well_by_itself(
    fragile: System, system: System, here: Replicating, target: RegistryClient, proxy: Between,
) -> None:
    project = fragile.new_project()
    image = make_image(project, layer_size=5 * MEBIBYTE)
    digest = push_to(fragile, f"{project}/app", "v1", image)
    policy = here.policy(project, to=here.instance(system, url=proxy.url), speed=SLOW)
    run = here.begin(policy)
    eventually(lambda: proxy.uploaded > 2 * MEBIBYTE, within=15, what="the blob is half there")
    before = parts(fragile)
    fragile.instance.stop_part("postgres")
    fragile.start_part("postgres")
    eventually(lambda: fragile.admin.send("GET", "/replication/policies").ok, within=30, what="the API is back")
    ended = here.ended(run, within=60)
    assert ended["status"] == "Succeed", here.account_of(ended)
    assert parts(fragile) == before
    assert state_of(target, f"{project}/app") == {"v1": digest}
    arrived_once(proxy, image)


def test_what_a_target_missed_while_it_was_away_is_made_good_by_itself(away: Waiting, system: System) -> None:
    target = system.registry()
    settled(
        lambda: state_of(target, away.repository), away.wanted, within=100, every=0.5,
        what="the target holds what is here, and no more",
    )
    assert away.health() == ("healthy", False)
    settled(lambda: away.replication.is_at_rest(away.policy), True, within=20, what="nothing is under way")
    assert set(away.proxy.stored().values()) == {1}
