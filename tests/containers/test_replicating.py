"""Images kept in step with a registry outside of the containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.docker import BRIDGE
from tests.clients.images import make_image
from tests.clients.polling import eventually
from tests.e2e.replicating import POLICIES, RUNS, OpenRegistry
from tests.integration.remote_rig import distribution

if TYPE_CHECKING:
    from tests.clients.rest import RestClient
    from tests.containers.stack import Stack

# the first test waits until the images are built
pytestmark = pytest.mark.timeout(2400)

HERE: Final = BRIDGE.partition("/")[0]
"""This machine, as containers reach it."""
SECONDS: Final = 30
NAME: Final = "library/replicated"


def test_what_is_pushed_and_deleted_is_so_in_a_registry_outside(
    stack: Stack, admin: RestClient, password: str
) -> None:
    image, ours = make_image("replicated", layers=2), stack.registry(password)
    with distribution(host=HERE) as outside:
        target = OpenRegistry(outside.url)
        admin.must("POST", "/registries", json={"name": "outside", "type": "docker-registry", "url": outside.url})
        (registry,) = [row["id"] for row in admin.get("/registries") if row["name"] == "outside"]
        policy = {
            "name": "outwards", "enabled": True, "dest_registry": {"id": registry}, "replicate_deletion": True,
            "filters": [{"type": "name", "value": NAME}], "trigger": {"type": "event_based"},
        }
        admin.must("POST", POLICIES, json=policy)
        (number,) = [row["id"] for row in admin.get(POLICIES) if row["name"] == "outwards"]
        try:
            assert ours.push(NAME, "v1", image).ok
            eventually(lambda: target.pull(NAME, "v1").ok, within=SECONDS, what="the push is outside", every=0.5)
            for blob in image.blobs:
                assert target.get_blob(NAME, blob.digest).content == blob.content
            assert ours.delete_manifest(NAME, image.digest).ok
            eventually(
                lambda: not target.pull(NAME, "v1").ok, within=SECONDS, what="the deletion is outside", every=0.5
            )
            eventually(
                lambda: {run["status"] for run in admin.get(RUNS, policy_id=number)} == {"Succeed"}, within=SECONDS,
                what="both runs have ended well", every=0.5,
            )
        finally:
            admin.must("DELETE", f"{POLICIES}/{number}")
            admin.must("DELETE", f"/registries/{registry}")
