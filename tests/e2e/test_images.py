"""What may be pushed besides a plain image, and what may be shared between projects: indexes, artifacts, mounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.clients.images import make_image, make_index, write_layout
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.system import Person, System


def test_an_index_is_pushed_pulled_and_deleted_with_its_children_listed(
    system: System, project: str, tmp_path: Path,
) -> None:
    index = make_index(project)
    skopeo = system.skopeo(tmp_path / "auth.json")
    assert skopeo.login(system.admin_name, system.admin_password).ok
    layout = write_layout(tmp_path / "index", {"multi": index})
    name = f"{project}/multi"
    assert (done := skopeo.push(layout, "multi", f"{name}:v1", every_platform=True)).ok, done.said
    assert (done := skopeo.pull(f"{name}:v1", tmp_path / "pulled", every_platform=True)).ok, done.said

    (listed,) = eventually(
        lambda: [
            artifact for artifact in system.admin.artifacts(name)
            if artifact["digest"] == index.digest and len(artifact.get("references") or ()) == len(index.images)
        ],
        within=10, what="the index with its children",
    )
    platforms = {
        child["child_digest"]: child["platform"]["architecture"] for child in listed["references"]
    }
    assert platforms == {index.images[0].digest: "amd64", index.images[1].digest: "arm64"}
    eventually(
        lambda: [artifact["digest"] for artifact in system.admin.artifacts(name)] == [index.digest], within=10,
        what="the children of an index are not listed beside it",
    )
    created = [row["resource"] for row in system.admin.audit(project) if row["operation"] == "create"
               and row["resource_type"] == "artifact"]
    assert sorted(created) == sorted([f"{name}:v1", *(f"{name}@{image.digest}" for image in index.images)])

    assert (done := skopeo.delete(f"{name}:v1")).ok, done.said
    eventually(
        lambda: index.digest not in {artifact["digest"] for artifact in system.admin.artifacts(name)}, within=10,
        what="the index is gone from the API",
    )
    registry = system.registry()
    assert registry.get_manifest(name, index.digest).status_code == requests.codes.not_found
    assert registry.get_manifest(name, index.images[0].digest).status_code == requests.codes.ok


def test_any_oci_artifact_is_catalogued_by_its_config(system: System, project: str) -> None:
    chart = make_image(f"chart/{project}", artifact_type="application/vnd.cncf.helm.config.v1+json")
    assert system.registry().push(f"{project}/chart", "1.0.0", chart).status_code == requests.codes.created
    (artifact,) = eventually(lambda: system.admin.artifacts(f"{project}/chart"), within=10, what="the chart")
    assert artifact["type"] == "CHART"
    assert artifact["media_type"] == "application/vnd.cncf.helm.config.v1+json"


def test_deleting_one_of_two_tags_by_digest_takes_both_and_says_so(system: System, project: str) -> None:
    image = make_image(f"tags/{project}")
    registry = system.registry()
    for tag in ("v1", "latest"):
        assert registry.push(f"{project}/app", tag, image).status_code == requests.codes.created
    eventually(
        lambda: {tag["name"] for found in system.admin.artifacts(f"{project}/app") for tag in found["tags"] or ()}
        == {"v1", "latest"},
        within=10, what="both tags",
    )
    assert registry.delete_manifest(f"{project}/app", image.digest).status_code == requests.codes.accepted
    eventually(lambda: not system.admin.artifacts(f"{project}/app"), within=10, what="the artifact is gone")
    assert registry.tags(f"{project}/app") == []


def test_a_tag_pushed_again_moves_and_the_old_artifact_stays(system: System, project: str) -> None:
    old, new = make_image(f"old/{project}"), make_image(f"new/{project}")
    registry = system.registry()
    for image in (old, new):
        assert registry.push(f"{project}/app", "latest", image).status_code == requests.codes.created
    eventually(
        lambda: {
            found["digest"]: [tag["name"] for tag in found["tags"] or ()]
            for found in system.admin.artifacts(f"{project}/app")
        } == {old.digest: [], new.digest: ["latest"]},
        within=10, what="the tag has moved",
    )


@pytest.mark.parametrize("may_read_source", [True, False])
def test_a_blob_is_mounted_across_projects_only_with_the_right_to_pull_it(
    system: System, project: str, person: Callable[..., Person], *, may_read_source: bool,
) -> None:
    source = system.new_project()
    image = make_image(f"mount/{project}")
    assert system.registry().push(f"{source}/app", "v1", image).status_code == requests.codes.created
    pusher = person(project, "developer")
    if may_read_source:
        system.admin.add_member(source, pusher.name, "guest")
    registry = system.registry(pusher)
    answer = registry.mount_blob(f"{project}/app", image.layers[0].digest, f"{source}/app")
    if may_read_source:
        assert answer.status_code == requests.codes.created
        assert registry.has_blob(f"{project}/app", image.layers[0].digest)
    else:
        assert answer.status_code in {requests.codes.unauthorized, requests.codes.accepted}
        assert not registry.has_blob(f"{project}/app", image.layers[0].digest)


def test_a_manifest_by_digest_alone_is_an_untagged_artifact(system: System, project: str) -> None:
    image = make_image(f"untagged/{project}")
    assert system.registry().push(f"{project}/app", image.digest, image).status_code == requests.codes.created
    (artifact,) = eventually(lambda: system.admin.artifacts(f"{project}/app"), within=10, what="the artifact")
    assert not artifact["tags"]
    assert [row["resource"] for row in eventually(
        lambda: [row for row in system.admin.audit(project) if row["resource_type"] == "artifact"], within=10,
        what="its audit row",
    )] == [f"{project}/app@{image.digest}"]
