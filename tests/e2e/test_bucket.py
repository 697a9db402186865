"""An instance whose images lie in a bucket: pushed, pulled, compared, collected, backed up and made anew."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
import requests

from compose.local.instance import Instance
from tests.clients.images import make_image, write_layout
from tests.clients.polling import eventually
from tests.documented import documented, run_commands
from tests.e2e.conftest import end, fresh_system
from tests.e2e.system import System
from tests.s3 import Storage, s3_server
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def s3() -> Iterator[Storage]:
    with s3_server() as storage:
        yield storage


@pytest.fixture(scope="module")
def stored(s3: Storage) -> Iterator[System]:
    """An instance of this module's own, with its images in a folder of the bucket."""
    block = documented("docs/operating.md", "BREAKWATER_S3_BUCKET")
    keys = {"ACCESS_KEY=…": f"ACCESS_KEY={s3.access_key}", "SECRET_KEY=…": f"SECRET_KEY={shlex.quote(s3.secret_key)}"}
    command = block.fitted({"https://storage.example.com": s3.url} | keys)
    yield from fresh_system(start=lambda instance: run_commands(command, instance.environment))


def held(s3: Storage) -> int:
    """Bytes of blobs in the bucket."""
    return sum(entry.size for entry in s3.in_folder("registry/one").entries("docker/registry/v2/blobs/"))


def test_the_main_job_runs_on_a_bucket_and_nothing_lies_on_the_disk(
    stored: System, s3: Storage, tmp_path: Path
) -> None:
    project = stored.new_project()
    image = make_image(f"bucket/{project}", layers=3)
    layout = write_layout(tmp_path / "image", {"v1": image})
    skopeo = stored.skopeo(tmp_path / "auth.json")
    assert (done := skopeo.login(stored.admin_name, stored.admin_password)).ok, done.said
    assert (done := skopeo.push(layout, "v1", f"{project}/app:v1")).ok, done.said
    assert (done := skopeo.pull(f"{project}/app:v1", tmp_path / "pulled")).ok, done.said
    assert stored.registry().tags(f"{project}/app") == ["v1"]
    eventually(lambda: stored.admin.artifacts(f"{project}/app"), within=20, what="the push is catalogued")
    registry = stored.instance.layout.registry
    assert [path for path in registry.rglob("*") if path.is_file()] == []
    digits = image.digest.removeprefix("sha256:")
    keys = {entry.key for entry in s3.in_folder("registry/one").entries()}
    assert f"docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data" in keys


def test_keys_are_in_no_settings_and_shown_by_no_verb(stored: System, s3: Storage) -> None:
    remembered = (stored.instance.home / "settings.json").read_text()
    assert '"s3_bucket": "images"' in remembered
    shown = stored.breakwater("config")
    assert "BREAKWATER_S3_BUCKET=images" in shown.out
    for text in (remembered, shown.said):
        assert s3.secret_key not in text
        assert s3.access_key not in text


def test_no_disk_is_told_of_where_images_lie_in_a_bucket(stored: System) -> None:
    assert stored.admin.get("/systeminfo")["registry_storage_provider_name"] == "s3"
    assert stored.admin.get("/systeminfo/volumes") == {"storage": []}


def test_doctor_finds_an_instance_on_a_bucket_well(stored: System) -> None:
    told = stored.breakwater("doctor")
    assert "bucket" not in told.out.replace("BREAKWATER_S3", ""), told.said


def test_a_manifest_that_no_tag_names_is_found_in_the_bucket(stored: System) -> None:
    """Distribution's API lists none: that it lies there is all that tells of it."""
    repository = f"{stored.new_project()}/app"
    image = make_image(repository)
    stored.registry().push(repository, image.digest, image)
    eventually(lambda: stored.admin.artifacts(repository), within=20, what="the push is catalogued")
    forgotten = stored.rows(
        "DELETE FROM core.artifacts a USING core.repositories r"
        " WHERE r.id = a.repository_id AND r.name = %s RETURNING a.digest",
        (repository,),
    )
    assert forgotten == [(image.digest,)]
    done = stored.breakwater("reconcile", "--project", repository.partition("/")[0])
    assert done.ok, done.said
    assert [row["digest"] for row in stored.admin.artifacts(repository)] == [image.digest]


def test_garbage_is_collected_from_the_bucket(stored: System, s3: Storage) -> None:
    project = stored.new_project()
    image = make_image(f"garbage/{project}")
    stored.registry().push(f"{project}/app", "v1", image)
    eventually(lambda: stored.admin.artifacts(f"{project}/app"), within=20, what="the push is catalogued")
    stored.admin.must("DELETE", f"/projects/{project}/repositories/app/artifacts/{image.digest}")
    before = held(s3)
    would = stored.breakwater("gc", "run", "--dry-run")
    assert would.ok, would.said
    assert f"blob {image.digest}, {len(image.manifest.content)} bytes" in would.out
    done = stored.breakwater("gc", "run")
    assert done.ok, done.said
    assert before - held(s3) == image.size
    (told,) = re.findall(r"ended: 3 blobs went, (\d+) bytes of the storage", done.out)
    assert int(told) == image.size


def test_a_backup_without_the_bucket_makes_an_instance_that_has_its_images(stored: System) -> None:
    stored.registry().push("library/kept", "v1", make_image("kept in the bucket"))
    eventually(lambda: stored.admin.artifacts("library/kept"), within=20, what="the push is catalogued")
    with short_folder() as folder:
        refused = stored.instance.run("backup", str(folder / "backup"))
        assert (refused.returncode, "say --no-registry, and keep versions" in " ".join(refused.stderr.split())) == (
            1, True,
        )  # fmt: skip
        taken = stored.instance.run("backup", "--no-registry", str(folder / "backup"))
        assert taken.returncode == 0, taken.stderr
        assert "keep a copy of s3://images/registry/one taken after" in " ".join(taken.stdout.split())
        other = Instance(home=folder / "other", port=free_port())
        try:
            done = other.run("restore", str(folder / "backup"))
            assert done.returncode == 0, done.stderr
            restored = System(other)
            assert restored.registry().pull("library/kept", "v1").status_code == requests.codes.ok
            assert other.run("destroy", "--yes").returncode == 0
        finally:
            end(other)
    assert stored.registry().pull("library/kept", "v1").status_code == requests.codes.ok


def test_a_storage_that_is_away_is_named_by_the_doctor_and_the_rest_goes_on(stored: System, s3: Storage) -> None:
    """The last one: what was stored is gone with its server."""
    stored.registry().push("library/away", "v1", make_image("away"))
    s3.stop()
    assert stored.registry().pull("library/away", "v1").status_code >= requests.codes.server_error
    told = stored.breakwater("doctor")
    assert not told.ok
    assert f"the storage at {s3.url} does not answer" in " ".join(told.out.split())
    assert stored.login(stored.admin_name, stored.admin_password) == requests.codes.ok
    refused = stored.instance.run("up", "--no-tour")
    assert (refused.returncode, f"the storage at {s3.url} does not answer" in " ".join(refused.stderr.split())) == (
        1, True,
    )  # fmt: skip
