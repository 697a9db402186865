"""The metadata service's watch over the registry's disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from services.api.service import MetadataService
from shared.metrics.figures import DISK_FREE, DISK_TOTAL
from shared.metrics.tally import Tally
from shared.settings import Settings


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def service(tmp_path: Path) -> MetadataService:
    service = MetadataService()
    service.settings = Settings(home=tmp_path, run=tmp_path, registry_storage=tmp_path)
    service.tally = Tally()
    return service


def disk(free: int, total: int = 100 * 2**30) -> Callable[[Path], Usage]:
    return lambda _path: Usage(total, total - free, free)


def test_pushes_are_refused_while_the_disk_is_nearly_full(
    service: MetadataService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "readonly"
    for free, refused in ((50, False), (4, True), (5, True), (6, False)):
        monkeypatch.setattr(shutil, "disk_usage", disk(free * 2**30))
        service.watch_disk()
        assert flag.exists() is refused, free


def test_the_real_disk_is_read(service: MetadataService, tmp_path: Path) -> None:
    service.settings = replace(service.settings, disk_reserve_percent=0.0, disk_reserve_bytes=1)
    service.watch_disk()
    assert not (tmp_path / "readonly").exists()


def test_what_room_there_is_is_told(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk(50 * 2**30))
    service.watch_disk()
    assert {(told.name, told.value) for told in service.tally.take()} == {
        (DISK_TOTAL.name, 100 * 2**30), (DISK_FREE.name, 50 * 2**30),
    }


def test_a_storage_that_is_elsewhere_is_not_watched(service: MetadataService, tmp_path: Path) -> None:
    service.settings = replace(service.settings, registry_storage=tmp_path / "none")
    (tmp_path / "readonly").touch()
    service.watch_disk()
    assert (tmp_path / "readonly").exists()


def test_a_bucket_has_no_disk_and_what_a_disk_has_shut_is_opened(
    service: MetadataService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.settings = replace(service.settings, s3_bucket="images")
    monkeypatch.setattr(shutil, "disk_usage", disk(0))
    (tmp_path / "readonly").touch()
    service.watch_disk()
    assert not (tmp_path / "readonly").exists()
    assert not list(service.tally.take())
