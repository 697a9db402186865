"""What holds a replication back: a dry run, a stop, a policy's limits on bytes a second and on artifacts at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
import requests

from tests.clients.between import Wrong
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.e2e.replicating import OPEN, Replicating, digest_of, distinct, family, fresh, push_to

if TYPE_CHECKING:
    from tests.clients.between import Between
    from tests.clients.registry import RegistryClient
    from tests.e2e.system import System

KIBIBYTE: Final = 1024


def test_a_dry_run_lists_and_counts_and_moves_nothing(
    fragile: System, system: System, here: Replicating, counted: Between,
) -> None:
    project, repository = fresh(fragile)
    images = family(project, 3)
    for number, image in enumerate(images):
        push_to(fragile, repository, f"v{number}", image)
    policy = here.policy(project, to=here.instance(system, url=counted.url))
    run = here.run(policy, dry_run=True)
    blobs = distinct(images)
    assert (run["dry_run"], run["total"], run["blobs_total"]) == (True, 3, len(blobs))
    assert run["bytes_total"] == sum(len(blob.content) for blob in blobs.values())
    assert run["bytes_sent"] == 0
    assert {task["src_resource"] for task in here.tasks(run["id"])} == {f"{repository}:[v{each}]" for each in range(3)}
    assert [each for each in counted.passed if each.method not in {"GET", "HEAD"}] == []
    assert system.admin.send("GET", f"/projects/{project}").status_code == requests.codes.not_found
    assert here.run(policy)["bytes_sent"] == run["bytes_total"]


@pytest.mark.alone
def test_a_stop_takes_effect_in_the_middle_of_a_blob(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
    counted: Between,
) -> None:
    project, repository = fresh(fragile)
    big = make_image(project, layer_size=6 * KIBIBYTE**2)
    push_to(fragile, repository, "v1", big)
    push_to(fragile, repository, "v2", make_image(f"{project}/2", layer_size=6 * KIBIBYTE**2))
    policy = here.policy(project, to=here.instance(system, url=counted.url), speed=KIBIBYTE, concurrency=1)
    run = here.begin(policy)
    eventually(lambda: counted.uploaded > KIBIBYTE**2, within=15, what="the blob is on its way")
    asked = time.monotonic()
    here.stop(run)
    ended = here.ended(run, within=10)
    assert time.monotonic() - asked < 1.5
    assert (ended["status"], ended["stopped"]) == ("Stopped", 2)
    sent = counted.uploaded
    assert sent < len(big.layers[0].content)
    time.sleep(2)
    assert counted.uploaded == sent
    assert counted.stored()[big.layers[0].digest] == 0
    assert digest_of(target, repository, "v1") is None


@pytest.mark.alone
def test_a_stop_takes_effect_while_the_target_hangs(
    fragile: System, system: System, here: Replicating, counted: Between,
) -> None:
    project, repository = fresh(fragile)
    push_to(fragile, repository, "v1", make_image(project))
    policy = here.policy(project, to=here.instance(system, url=counted.url))
    counted.once("HEAD", "/manifests/v1", Wrong(hangs=True))
    run = here.begin(policy)
    eventually(lambda: [each for each in here.tasks(run) if each["status"] == "InProgress"], within=10, what="a task")
    time.sleep(0.5)
    asked = time.monotonic()
    here.stop(run)
    assert here.ended(run, within=10)["status"] == "Stopped"
    assert time.monotonic() - asked < 1.5


@pytest.mark.alone
def test_a_limit_on_bytes_a_second_holds_over_all_tasks_of_a_policy(
    fragile: System, system: System, here: Replicating, counted: Between,
) -> None:
    project, repository = fresh(fragile)
    for number in range(4):
        push_to(fragile, repository, f"v{number}", make_image(f"{project}/{number}", layer_size=1280 * KIBIBYTE))
    policy = here.policy(project, to=here.instance(system, url=counted.url), speed=KIBIBYTE)
    begun = time.monotonic()
    run = here.run(policy)
    rate = run["bytes_sent"] / (time.monotonic() - begun)
    assert run["total"] == 4
    assert counted.uploaded == run["bytes_sent"]
    assert 0.7 * KIBIBYTE**2 < rate < 1.3 * KIBIBYTE**2


@pytest.mark.alone
@pytest.mark.parametrize(
    ("of_policy", "of_registry", "most"),
    [({"concurrency": 2}, {}, 2), ({}, {"concurrency": 3}, 3), ({}, {}, 5)],
    ids=["two by the policy", "three by the registry", "no limit of their own"],
)
def test_no_more_artifacts_are_under_way_at_once_than_policy_and_registry_say(
    fragile: System, system: System, here: Replicating, of_policy: dict[str, int], of_registry: dict[str, int],
    most: int,
) -> None:
    project, repository = fresh(fragile)
    for number in range(5):
        push_to(fragile, repository, f"v{number}", make_image(f"{project}/{number}", layer_size=256 * KIBIBYTE))
    policy = here.policy(project, to=here.instance(system, **of_registry), speed=384, **of_policy)
    run, seen = here.begin(policy), set[int]()
    deadline = time.monotonic() + 30
    while here.look(run)["status"] == OPEN and time.monotonic() < deadline:
        seen.add(sum(task["status"] == "InProgress" for task in here.tasks(run)))
        time.sleep(0.1)
    assert here.ended(run)["succeed"] == 5
    assert max(seen) == most
