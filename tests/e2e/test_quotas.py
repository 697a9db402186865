"""What a project stores is right as soon as a push or a deletion is answered, and a full project takes no more."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.clients.images import make_image
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from tests.clients.registry import RegistryClient
    from tests.e2e.system import System

pytestmark = pytest.mark.alone

UPLOADED_SECONDS = 20.0
"""Less than anything waits for a lock before it gives up and answers 503."""


def used(system: System, project: str) -> int:
    return int(system.admin.get(f"/projects/{project}/summary")["quota"]["used"]["storage"])


def catalogued(system: System, project: str) -> int:
    """What the catalogue alone has counted."""
    with system.database() as connection:
        row = connection.execute("SELECT storage_used FROM core.projects WHERE name = %s", [project]).fetchone()
    assert row
    return int(row[0])


def test_the_storage_of_a_project_is_right_as_soon_as_a_push_or_a_deletion_is_answered(
    system: System, project: str
) -> None:
    first = make_image("first", layers=2, layer_size=5_000)
    second = make_image("second", layers=1, layer_size=7_000, base=first)
    each = {blob.digest: len(blob.content) for image in (first, second) for blob in (*image.blobs, image.manifest)}
    of_first = sum(len(blob.content) for blob in (*first.blobs, first.manifest))
    assert system.registry().push(f"{project}/app", "first", first).ok
    assert used(system, project) == of_first
    assert system.registry().push(f"{project}/app", "second", second).ok
    assert used(system, project) == sum(each.values()), "what both have is counted once"
    assert system.registry().delete_manifest(f"{project}/app", second.digest).ok
    assert used(system, project) == of_first
    # it stays so when the catalogue has followed
    eventually(lambda: catalogued(system, project) == of_first, within=10, what="the catalogue follows")
    assert used(system, project) == of_first


@pytest.mark.parametrize("limit", [-1, 10_000_000])
def test_the_storage_of_a_project_is_right_in_a_burst_too(system: System, project: str, limit: int) -> None:
    images = [make_image(f"{project} {number}", layer_size=3_000) for number in range(60)]
    size = sum(len(blob.content) for image in images for blob in (*image.blobs, image.manifest))
    number = system.admin.get(f"/projects/{project}")["project_id"]
    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": limit}})
    clients = threading.local()

    def registry() -> RegistryClient:
        if not hasattr(clients, "registry"):
            clients.registry = system.registry()
        return clients.registry  # type: ignore[no-any-return]  # of a thread's own

    with ThreadPoolExecutor(4) as pool:
        pushed = pool.map(lambda image: registry().push(f"{project}/app", image.digest, image).ok, images)
        assert all(pushed)
        assert used(system, project) == size
        deleted = pool.map(lambda image: registry().delete_manifest(f"{project}/app", image.digest).ok, images)
        assert all(deleted)
        assert used(system, project) == 0
    eventually(lambda: catalogued(system, project) == 0, within=20, what="the catalogue follows")
    assert used(system, project) == 0


def test_what_is_deleted_right_after_its_push_takes_no_room(system: System, project: str) -> None:
    """Its push may not have been counted yet when it goes."""
    images = [make_image(f"short-lived {number}", layer_size=3_000) for number in range(8)]
    size = max(sum(len(blob.content) for blob in (*image.blobs, image.manifest)) for image in images)
    number = system.admin.get(f"/projects/{project}")["project_id"]
    system.admin.must("PUT", f"/quotas/{number}", json={"hard": {"storage": len(images) * size}})
    registry = system.registry()
    for image in images:
        assert registry.push(f"{project}/app", "v1", image).ok
        assert registry.delete_manifest(f"{project}/app", image.digest).ok
    eventually(lambda: used(system, project) == 0, within=10, what="nothing is stored")
    for image in images:
        assert registry.push(f"{project}/app", image.digest, image).ok, "all of them fit"


def test_uploads_of_blobs_wait_for_no_row_of_their_project(system: System, project: str) -> None:
    """However many there are: none of them asks for what a manifest's admission locks."""
    image = make_image("many", layers=60, layer_size=64)
    registry = system.registry()
    with system.database() as connection, connection.transaction():
        connection.execute("SELECT 1 FROM core.projects WHERE name = %s FOR UPDATE", [project])
        begun = time.monotonic()
        assert all(registry.push_blob(f"{project}/app", blob).ok for blob in image.blobs)
        assert time.monotonic() - begun < UPLOADED_SECONDS
    assert registry.put_manifest(f"{project}/app", "v1", image.manifest).ok
