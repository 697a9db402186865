"""What `up` and the doctor make of a bucket: asked of a real server, before anything is started or changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from compose.local.bucket import bucket_of, keep_keys, refuse_unusable_bucket
from compose.local.doctor import storage
from compose.local.doctor.patient import Patient
from compose.local.instance import Instance
from compose.local.network import PORTS
from compose.local.options import Options
from compose.local.site import existing_site
from shared.errors import ConfigurationError
from shared.registry.bucket import ROOT
from tests.clients.images import make_image
from tests.integration.collecting_rig import registry_parent
from tests.integration.registry_rig import Pusher, Tokens, token_mount
from tests.s3 import Storage, s3_server
from tests.servers import Postgres, free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from compose.local.site import Site


@pytest.fixture(scope="module")
def s3() -> Iterator[Storage]:
    with s3_server() as storage:
        yield storage


@pytest.fixture(scope="module")
def tokens(postgres_server: Postgres) -> Iterator[Tokens]:
    with token_mount(postgres_server) as tokens:
        yield tokens


@pytest.fixture
def site(s3: Storage, tmp_path: Path, request: pytest.FixtureRequest) -> Site:
    """An instance that was described once, with its images in a folder of the test's own."""
    tmp_path.joinpath(PORTS).write_text(json.dumps({"amqp": 1, "distribution": 2, "epmd": 3, "intake": 4}))
    return existing_site(
        Options(
            home=tmp_path, s3_bucket=s3.bucket, s3_endpoint=s3.url, s3_prefix=request.node.name,
            s3_access_key=s3.access_key, s3_secret_key=s3.secret_key,
        )
    )  # fmt: skip


def refuse(site: Site) -> None:
    refuse_unusable_bucket(site.layout, bucket_of(site.layout, site.options))


def test_images_on_the_disk_are_not_left_behind(site: Site, tokens: Tokens) -> None:
    bucket = bucket_of(site.layout, site.options)
    assert bucket is not None
    refuse(site)
    (site.layout.registry / ROOT / "repositories" / "library").mkdir(parents=True)
    with pytest.raises(ConfigurationError) as refusal:
        refuse(site)
    assert refusal.value.sentence == (
        f"the images of this instance lie in {site.layout.registry}, and {bucket} has none: "
        f"copy {site.layout.registry}/docker to {bucket}/docker first"
    )
    with registry_parent(tokens, bucket=bucket) as parent:
        Pusher(tokens=tokens, socket=parent.socket).push("library/app", "v1", make_image("one"))
    refuse(site)


def test_images_in_a_bucket_are_not_left_behind(site: Site) -> None:
    back = replace(site, options=site.options.model_copy(update={"s3_bucket": None}))
    refuse(back)
    keep_keys(site.layout, bucket_of(site.layout, site.options))
    with pytest.raises(ConfigurationError) as refusal:
        refuse(back)
    storage, kept = site.layout.registry, site.layout.secrets / "registry" / "s3-secret-key"
    assert refusal.value.sentence == (
        f"the images of this instance lie in a bucket, and {storage} has none: copy the bucket's docker "
        f"to {storage}/docker first; where nothing was ever pushed, remove {kept}"
    )
    (storage / ROOT / "repositories" / "library").mkdir(parents=True)
    refuse(back)


def test_up_says_what_is_wrong_with_a_bucket_before_it_makes_anything(s3: Storage) -> None:
    with short_folder() as folder:
        wrong = s3.variables("one") | {"BREAKWATER_S3_SECRET_KEY": "another"}
        instance = Instance(home=folder / "home", port=free_port(), variables=wrong)
        done = instance.run("up", "--no-tour")
        assert not instance.home.exists()
    said = " ".join(done.stderr.split())
    refused = "does not let BREAKWATER_S3_ACCESS_KEY and _SECRET_KEY list the bucket images (403 SignatureDoesNotMatch)"
    assert (done.returncode, said) == (1, f"{s3.url} {refused}")


def test_doctor_tells_what_is_wrong_with_a_bucket_and_nothing_of_one_that_is_well(site: Site) -> None:
    def said(changed: Site) -> list[str]:
        return [
            f"{each.severity}: {each.what}"
            for each in storage.bucket(Patient(site=changed, now=datetime.now(UTC)))
        ]  # fmt: skip

    assert said(site) == []
    options = site.options
    port = free_port()
    away = options.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{port}"})
    assert [line.partition(": Conn")[0] for line in said(replace(site, options=away))] == [
        f"broken: the storage at http://127.0.0.1:{port} does not answer"
    ]
    keep_keys(site.layout, replace(bucket_of(site.layout, options), secret_key="another"))
    # with the key that is kept, and not with the one that this process was given
    kept = options.model_copy(update={"s3_access_key": None, "s3_secret_key": None})
    (line,) = said(replace(site, options=kept))
    assert line.startswith(f"broken: {options.s3_endpoint}".rstrip("/"))
    assert line.endswith("list the bucket images (403 SignatureDoesNotMatch)")
