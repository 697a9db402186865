"""Images kept in step with another instance and with a plain registry: pushes, deletions, whole runs, loops.

From the fragile instance to the shared one, for they are there anyway; nothing is broken here.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.images import make_foreign, make_image, make_index, make_referrer
from tests.clients.polling import eventually, settled
from tests.e2e.replicating import (
    OpenRegistry,
    Replicating,
    digest_of,
    distinct,
    family,
    fresh,
    push,
    push_to,
    replicating,
    state_of,
    whole_at,
)
from tests.integration.remote_rig import distribution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.clients.between import Between
    from tests.clients.registry import RegistryClient
    from tests.e2e.system import System

PUSHES: Final = 20
SOON: Final = 2.0
"""Seconds after which a push is on the other side, at the 95th percentile."""


@pytest.fixture(scope="module")
def plain() -> Iterator[OpenRegistry]:
    """A registry as Debian has it, that asks nobody who he is."""
    with distribution() as started:
        yield OpenRegistry(started.url)


@pytest.mark.parametrize("public", [True, False])
def test_a_push_makes_the_project_at_the_target_as_open_as_it_is_here(
    fragile: System, system: System, here: Replicating, target: RegistryClient, *, public: bool,
) -> None:
    project, repository = fresh(fragile, public=public)
    here.policy(project, to=here.instance(system), event=True)
    digest = push_to(fragile, repository, "v1", make_image(project))
    settled(lambda: digest_of(target, repository, "v1"), digest, within=10, what="the push on the other side")
    assert system.admin.get(f"/projects/{project}")["metadata"]["public"] == str(public).lower()
    assert system.anonymous_registry().pull(repository, "v1").ok is public


@pytest.mark.alone
def test_pushes_are_on_the_other_side_within_two_seconds(
    fragile: System, system: System, here: Replicating, source: RegistryClient, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    policy = here.policy(project, to=here.instance(system), event=True)
    delays = []
    for number in range(PUSHES):
        image = make_image(f"{project}/{number}")
        digest = push(source, repository, f"v{number}", image)
        begun = time.monotonic()
        eventually(
            lambda tag=f"v{number}": digest_of(target, repository, tag), within=20, what="the push on the other side",  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        )
        delays.append(time.monotonic() - begun)
        assert digest_of(target, repository, f"v{number}") == digest
    assert statistics.quantiles(delays, n=20)[-1] <= SOON, sorted(delays)
    settled(lambda: here.is_at_rest(policy), True, within=10, what="nothing is under way")
    assert {run["status"] for run in here.runs(policy)} == {"Succeed"}


def test_what_a_run_came_to_is_in_the_metrics(fragile: System, system: System, here: Replicating) -> None:
    project, repository = fresh(fragile)
    policy = here.policy(project, to=here.instance(system))
    image = make_image(project)
    push_to(fragile, repository, "v1", image)
    assert here.metric("artifacts_copied_total", policy) == 0
    sent = here.run(policy)["bytes_sent"]
    here.run(policy)
    assert sent >= sum(len(blob.content) for blob in image.blobs)
    told = {name: here.metric(name, policy) for name in ("sent_bytes_total", "artifacts_copied_total", "lag_seconds")}
    assert told == {"sent_bytes_total": sent, "artifacts_copied_total": 1, "lag_seconds": 0}


def test_a_robot_of_the_target_is_enough_where_its_project_is_there(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    system.admin.create_project(project)
    name, secret, _ = system.admin.create_robot("mover", project, ("pull", "push"))
    policy = here.policy(project, to=here.registry(system.url, kind="harbor", credential=(name, secret)))
    digest = push_to(fragile, repository, "v1", make_image(project))
    here.run(policy)
    assert digest_of(target, repository, "v1") == digest


def test_a_tag_that_is_deleted_here_goes_there_too_and_no_other(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    here.policy(project, to=here.instance(system), event=True, deletion=True)
    image = make_image(project)
    for tag in ("v1", "v2"):
        push_to(fragile, repository, tag, image)
    both = {"v1": image.digest, "v2": image.digest}
    settled(lambda: state_of(target, repository), both, within=10, what="both tags on the other side")
    fragile.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/v1/tags/v1")
    settled(lambda: state_of(target, repository), {"v2": image.digest}, within=10, what="one is gone there too")
    fragile.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/{image.digest}")
    settled(lambda: state_of(target, repository), {}, within=10, what="so is the artifact")


def test_a_plain_registry_loses_the_tag_alone_though_it_deletes_by_digest_only(
    fragile: System, here: Replicating, plain: OpenRegistry,
) -> None:
    project, repository = fresh(fragile)
    here.policy(project, to=here.registry(plain.url), event=True, deletion=True)
    image = make_image(project)
    push_to(fragile, repository, "v1", image)
    settled(lambda: digest_of(plain, repository, "v1"), image.digest, within=10, what="the push there")
    push(plain, repository, "other", image)
    fragile.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/v1/tags/v1")
    # a plain registry forgets the manifest first: until the tag goes too, it lists one that it does not find
    settled(lambda: state_of(plain, repository), {"other": image.digest}, within=10, what="the tag alone is gone there")
    assert whole_at(plain, repository, "other")


def test_a_layer_that_is_elsewhere_is_neither_pushed_nor_copied(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    here.policy(project, to=here.instance(system), event=True)
    image = make_foreign(project)
    elsewhere = json.loads(image.manifest.content)["layers"][0]["digest"]
    push_to(fragile, repository, "v1", image)
    settled(lambda: state_of(target, repository), {"v1": image.digest}, within=10, what="the image there")
    assert all(target.has_blob(repository, blob.digest) for blob in image.blobs)
    assert not target.has_blob(repository, elsewhere)
    fragile.admin.must("POST", f"/projects/{project}/repositories/copy/artifacts?from={repository}:v1")
    assert state_of(fragile.registry(), f"{project}/copy") == {"v1": image.digest}


def test_a_registry_that_takes_no_layers_that_are_elsewhere_is_told_of(
    fragile: System, here: Replicating, plain: OpenRegistry,
) -> None:
    project, repository = fresh(fragile)
    push_to(fragile, repository, "v1", make_foreign(project))
    run = here.begin(here.policy(project, to=here.registry(plain.url)))
    (task,) = eventually(lambda: here.tasks(run), within=10, what="the task")
    eventually(lambda: "validation.manifests.urls" in here.log(run, task["id"]), within=10, what="why it fails")
    here.stop(run)
    assert here.ended(run)["status"] == "Stopped"
    assert state_of(plain, repository) == {}


def test_a_tag_that_the_target_had_by_itself_is_never_deleted(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    system.admin.create_project(project)
    image, another = make_image(project), make_image(f"{project}/another")
    push(target, repository, "own", image)
    push(target, repository, "alone", another)
    policy = here.policy(project, to=here.instance(system), event=True, deletion=True)
    for tag in ("own", "brought"):
        push_to(fragile, repository, tag, image)
    settled(lambda: digest_of(target, repository, "brought"), image.digest, within=10, what="the other tag")
    fragile.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/{image.digest}")
    settled(lambda: digest_of(target, repository, "brought"), None, within=10, what="what was brought is gone")
    here.run(policy)
    assert state_of(target, repository) == {"alone": another.digest, "own": image.digest}


def test_without_override_a_conflict_fails_and_says_so_and_the_target_stays_as_it_is(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    system.admin.create_project(project)
    theirs = push(target, repository, "v1", make_image(f"{project}/theirs"))
    push_to(fragile, repository, "v1", make_image(project))
    policy = here.policy(project, to=here.instance(system))
    run = here.ended(here.begin(policy))
    (task,) = here.tasks(run["id"])
    assert (run["status"], run["failed"], task["status"], task["fault"]) == ("Failed", 1, "Failed", "conflict")
    assert "does not override" in task["status_text"]
    assert theirs in here.log(run["id"], task["id"])
    assert state_of(target, repository) == {"v1": theirs}


def test_with_override_the_target_gets_what_is_here(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    system.admin.create_project(project)
    push(target, repository, "v1", make_image(f"{project}/theirs"))
    ours = push_to(fragile, repository, "v1", make_image(project))
    here.run(here.policy(project, to=here.instance(system), override=True))
    assert state_of(target, repository) == {"v1": ours}


def test_an_index_goes_with_its_children(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    index = make_index(project, architectures=("amd64", "arm64", "s390x"))
    push_to(fragile, repository, "v1", index)
    here.run(here.policy(project, to=here.instance(system)))
    assert digest_of(target, repository, "v1") == index.digest
    for image in index.images:
        assert whole_at(target, repository, image.digest)


def test_what_refers_to_an_image_goes_with_it_and_also_when_it_is_pushed_later(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    image = make_image(project)
    before = make_referrer(image.manifest, annotations={"made": "before"})
    push_to(fragile, repository, "v1", image)
    push_to(fragile, repository, before.digest, before)
    eventually(lambda: fragile.admin.accessories(repository, image.digest), within=10, what="the signature here")
    policy = here.policy(project, to=here.instance(system), event=True)
    here.run(policy)
    assert digest_of(target, repository, before.digest) == before.digest
    later = make_referrer(image.manifest, annotations={"made": "later"})
    push_to(fragile, repository, later.digest, later)
    settled(lambda: digest_of(target, repository, later.digest), later.digest, within=10, what="the later one there")
    settled(
        lambda: {each["digest"] for each in system.admin.accessories(repository, image.digest)},
        {before.digest, later.digest}, within=10, what="both are about the image there",
    )


def test_each_blob_is_sent_once_and_a_second_run_sends_nothing(
    fragile: System, here: Replicating, system: System, target: RegistryClient,
    counted: Between,
) -> None:
    project, _ = fresh(fragile)
    images = family(project, 8)
    for number, image in enumerate(images):
        push_to(fragile, f"{project}/app-{number % 2}", f"v{number}", image)
    policy = here.policy(project, to=here.instance(system, url=counted.url))
    run = here.run(policy)
    blobs = distinct(images)
    assert run["bytes_sent"] == counted.uploaded == sum(len(blob.content) for blob in blobs.values())
    assert counted.stored() == dict.fromkeys(blobs, 1)
    for number, image in enumerate(images):
        assert digest_of(target, f"{project}/app-{number % 2}", f"v{number}") == image.digest
    asked = len(counted.passed)
    again = here.run(policy)
    assert (again["succeed"], again["bytes_sent"]) == (run["total"], 0)
    assert [each for each in counted.passed[asked:] if each.method not in {"GET", "HEAD"}] == []


@pytest.mark.parametrize("there", [True, False], ids=["a project that is there", "one that is made for them"])
def test_images_are_pulled_into_a_project(
    fragile: System, system: System, here: Replicating, source: RegistryClient, there: bool,  # noqa: FBT001
) -> None:
    theirs = system.new_project()
    mine = fragile.new_project() if there else f"{theirs}-copied"
    index, image = make_index(theirs), make_image(theirs)
    push_to(system, f"{theirs}/deep/app", "v1", index)
    push_to(system, f"{theirs}/deep/app", "v2", image)
    policy = here.policy(theirs, source=here.instance(system), dest_namespace=mine)
    here.run(policy)
    assert state_of(source, f"{mine}/app") == {"v1": index.digest, "v2": image.digest}
    assert all(whole_at(source, f"{mine}/app", each.digest) for each in (*index.images, image))
    eventually(lambda: len(fragile.admin.artifacts(f"{mine}/app")) == 2, within=10, what="they are in the catalogue")
    assert here.run(policy)["bytes_sent"] == 0
    assert fragile.admin.get(f"/projects/{mine}")["metadata"]["public"] == "false"


def test_a_loop_ends_by_itself(
    fragile: System, system: System, here: Replicating, target: RegistryClient,
) -> None:
    project, repository = fresh(fragile)
    with replicating(system) as there:
        out = here.policy(project, to=here.instance(system), event=True, override=True, deletion=True)
        back = there.policy(project, to=there.instance(fragile), event=True, override=True, deletion=True)
        digest = push_to(fragile, repository, "v1", make_image(project))
        settled(lambda: digest_of(target, repository, "v1"), digest, within=10, what="it is there")
        eventually(lambda: there.runs(back), within=10, what="the way back is gone too")

        def runs() -> list[tuple[str, int]]:
            return [(run["status"], run["bytes_sent"]) for way in (here.runs(out), there.runs(back)) for run in way]

        eventually(lambda: {status for status, _ in runs()} == {"Succeed"}, within=10, what="all is done")
        before = runs()
        assert len(before) == 2
        time.sleep(3)
        assert runs() == before
        assert [run["bytes_sent"] for run in there.runs(back)] == [0]
