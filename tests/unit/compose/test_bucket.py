"""An instance whose images lie in a bucket: its configuration, its keys, and what is refused or left out for it."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compose.local import backup
from compose.local.accounts import Account, Accounts
from compose.local.archive import MANIFEST, Manifest, Writer
from compose.local.bucket import bucket_of, keep_keys
from compose.local.configuration import configure
from compose.local.credentials import prepare_secrets, secret_owners
from compose.local.doctor import home, storage
from compose.local.doctor.patient import Patient
from compose.local.restore import restore
from shared.errors import ConfigurationError, Conflict
from shared.migrations.run import newest
from shared.registry.bucket import Bucket
from shared.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from compose.local.site import Site

MINE = Accounts(separate=False, ids=dict.fromkeys(Account, (os.geteuid(), os.getegid())))
KEYS = {"s3_access_key": "AKIAhunter1", "s3_secret_key": "hunter2:{#\"'"}
IN_BUCKET = {"s3_bucket": "images", "s3_endpoint": "http://storage:9000", "s3_prefix": "registry/one"} | KEYS


@pytest.fixture
def configured(make_site: Callable[..., Site]) -> Callable[..., Site]:
    """A site whose keys are kept and whose configuration has been written."""

    def make(**options: object) -> Site:
        site = make_site(**options)
        for folder in (site.layout.conf, site.layout.secrets):
            folder.mkdir(exist_ok=True)
        keep_keys(site.layout, bucket_of(site.layout, site.options))
        prepare_secrets(site.layout, MINE, admin_password=None)
        configure(site, MINE)
        return site

    return make


def registry_of(site: Site, name: str = "registry.yml") -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((site.layout.registry_conf / name).read_text())
    return read


@pytest.mark.parametrize("version", [2, 3])
def test_registry_is_given_the_parameters_of_its_driver(configured: Callable[..., Site], version: int) -> None:
    site = configured(registry_version=version, s3_region="eu-west-1", **IN_BUCKET)
    for name in ("registry.yml", "registry-readonly.yml"):
        told = registry_of(site, name)["storage"]
        assert told["s3"] == {
            "region": "eu-west-1", "bucket": "images", "rootdirectory": "/registry/one", "secure": False,
            "accesskey": KEYS["s3_access_key"], "secretkey": KEYS["s3_secret_key"],
            "regionendpoint": "http://storage:9000", "forcepathstyle": True,
        }  # fmt: skip
        assert told["redirect"] == {"disable": True}
        assert told["delete"] == {"enabled": True}
        assert "filesystem" not in told


def test_amazon_s_own_storage_is_found_by_its_region(configured: Callable[..., Site]) -> None:
    told = registry_of(configured(s3_bucket="images", s3_region="eu-west-1", **KEYS))["storage"]["s3"]
    assert not {"regionendpoint", "forcepathstyle"} & told.keys()
    assert (told["secure"], told["rootdirectory"]) == (True, "/")


@pytest.mark.parametrize(
    ("region", "url"),
    [("eu-west-1", "https://s3.eu-west-1.amazonaws.com"), ("cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn")],
)
def test_amazon_s_own_storage_is_asked_where_its_region_is(region: str, url: str) -> None:
    assert Bucket(name="images", region=region, access_key="a", secret_key="b").url == url


def test_without_a_bucket_images_lie_on_the_disk_and_no_key_is_kept(configured: Callable[..., Site]) -> None:
    configured(**IN_BUCKET)
    site = configured()
    assert registry_of(site)["storage"]["filesystem"] == {"rootdirectory": str(site.layout.registry)}
    assert not {"s3", "redirect"} & registry_of(site)["storage"].keys()
    assert not list(site.layout.secrets.rglob("s3-*"))
    assert not [name for name in site.settings if "_S3_" in name]


def test_keys_stand_in_files_that_the_registry_alone_reads(configured: Callable[..., Site]) -> None:
    site = configured(**IN_BUCKET)
    owners = {each.path.name: (each.account, each.mode) for each in secret_owners(site.layout)}
    assert owners["s3-secret-key"] == owners["s3-access-key"] == (Account.DATA, 0o600)
    holding = {
        path.name for path in site.layout.home.rglob("*") if path.is_file() and b"hunter" in path.read_bytes()
    }  # fmt: skip
    assert holding == {"s3-access-key", "s3-secret-key", "registry.yml", "registry-readonly.yml", "registryctl.json"}
    for name in ("registry.yml", "registry-readonly.yml", "registryctl.json"):
        assert (site.layout.registry_conf / name).stat().st_mode & 0o777 == 0o600
    assert not [value for value in site.settings.values() if "hunter" in value]


def test_keys_that_were_given_once_are_good_for_the_next_time(configured: Callable[..., Site]) -> None:
    first = registry_of(configured(**IN_BUCKET))["storage"]
    without = {name: value for name, value in IN_BUCKET.items() if name not in KEYS}
    assert registry_of(configured(**without))["storage"] == first


@pytest.mark.parametrize("missing", sorted(KEYS))
def test_a_bucket_without_a_key_is_refused(make_site: Callable[..., Site], missing: str) -> None:
    site = make_site(**{name: value for name, value in IN_BUCKET.items() if name != missing})
    with pytest.raises(ConfigurationError) as refusal:
        bucket_of(site.layout, site.options)
    assert refusal.value.sentence == f"BREAKWATER_S3_BUCKET needs BREAKWATER_{missing.upper()}: it was never given"


def test_parent_of_the_registry_is_told_of_the_bucket(configured: Callable[..., Site]) -> None:
    site = configured(**IN_BUCKET)
    plan = json.loads((site.layout.registry_conf / "registryctl.json").read_text())
    bucket = bucket_of(site.layout, site.options)
    assert bucket is not None
    assert plan["bucket"] == asdict(bucket)
    assert json.loads((configured().layout.registry_conf / "registryctl.json").read_text())["bucket"] is None


def test_owner_finds_the_storage_by_the_settings_of_the_parts(
    configured: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = configured(**IN_BUCKET)
    for name, value in site.settings.items():
        monkeypatch.setenv(name, value)
    assert load_settings().stored() == bucket_of(site.layout, site.options)
    for name in [name for name in site.settings if "_S3_" in name]:
        monkeypatch.delenv(name)
    assert load_settings().stored() == site.layout.registry


# refusals


def test_a_backup_does_not_take_the_bucket_along_and_says_what_to_do(
    make_site: Callable[..., Site], tmp_path: Path
) -> None:
    with pytest.raises(Conflict) as refusal:
        backup.prepared(make_site(**IN_BUCKET), tmp_path / "file", with_registry=True)
    assert refusal.value.sentence == (
        "the images lie in s3://images/registry/one, which a backup does not take along: "
        "say --no-registry, and keep versions or a copy of the bucket"
    )
    assert backup.storage_place(make_site(**IN_BUCKET)) == "s3://images/registry/one"


@pytest.mark.parametrize(("place", "refused"), [("s3://images/registry/one", False), ("/srv/one/registry", True)])
def test_a_restore_needs_no_folder_of_images_that_lie_in_a_bucket(
    make_site: Callable[..., Site], tmp_path: Path, place: str, refused: bool  # noqa: FBT001
) -> None:
    file, options = tmp_path / "backup", make_site(home=tmp_path / "new").options
    made = Manifest(
        revision=newest(), instance_id="x", created_at=datetime.now(UTC), registry=place, registry_included=False,
    )  # fmt: skip
    written = BytesIO()
    writer = Writer(written, lambda _: None)
    writer.text(MANIFEST, made.encode())
    writer.finish()
    file.write_bytes(written.getvalue())
    if refused:
        with pytest.raises(Conflict, match="copy what lay in /srv/one/registry"):
            restore(options, file, lambda _: None)
    else:
        with pytest.raises(FileNotFoundError, match="instance-id"):  # it was let in; this backup holds nothing
            restore(options, file, lambda _: None)


# the doctor


def patient(site: Site) -> Patient:
    return Patient(site=site, now=datetime.now(UTC))


def test_a_bucket_without_its_keys_is_broken_and_none_is_well(make_site: Callable[..., Site]) -> None:
    assert list(storage.bucket(patient(make_site()))) == []
    without = {name: value for name, value in IN_BUCKET.items() if name != "s3_secret_key"}
    (found,) = storage.bucket(patient(make_site(**without)))
    assert (found.severity, "BREAKWATER_S3_SECRET_KEY" in found.what) == ("broken", True)


def test_a_full_disk_refuses_no_pushes_to_a_bucket(
    make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
    on_disk = make_site()
    for folder in (on_disk.layout.registry, on_disk.layout.broker):
        folder.mkdir()
    assert "are to stay free: pushes are refused" in next(home.space(patient(on_disk))).what
    said = [each.what for each in home.space(patient(make_site(**IN_BUCKET)))]
    assert said
    assert not [what for what in said if "pushes are refused" in what or str(on_disk.layout.registry) in what]
