"""Replication of very much: a thousand artifacts, and a blob of two gigabytes in little memory."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import pytest
import requests

from tests.clients.between import between
from tests.clients.images import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, Blob, make_image
from tests.clients.polling import settled
from tests.e2e.replicating import OpenRegistry, digest_of, replicating, state_of
from tests.integration.remote_rig import distribution

if TYPE_CHECKING:
    from types import TracebackType

    from tests.e2e.system import System

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ARTIFACTS: Final = 1_000
REPOSITORIES: Final = 5
MEBIBYTE: Final = 1024**2
PIECES: Final = 2_048
"""Of a mebibyte each."""
LIMIT: Final = 150 * MEBIBYTE


def test_a_thousand_artifacts_that_share_layers_arrive_and_each_blob_once(fragile: System, system: System) -> None:
    project = fragile.new_project()
    base = make_image(project, layers=6)
    images = [make_image(f"{project}/{each}", base=base) for each in range(ARTIFACTS)]
    local = threading.local()

    def repository(number: int) -> str:
        return f"{project}/app-{number % REPOSITORIES}"

    def push(number: int) -> None:
        if not hasattr(local, "registry"):
            local.registry = fragile.registry()
        image, registry = images[number], local.registry
        for blob in image.blobs if number < REPOSITORIES else image.blobs[6:]:
            assert registry.push_blob(repository(number), blob).ok
        assert registry.put_manifest(repository(number), f"v{number}", image.manifest).ok

    for number in range(REPOSITORIES):
        push(number)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(REPOSITORIES, ARTIFACTS)))
    settled(
        lambda: sum(
            fragile.admin.count(f"/projects/{project}/repositories/app-{each}/artifacts")
            for each in range(REPOSITORIES)
        ),
        ARTIFACTS, within=240, what="all are catalogued", every=0.5,
    )
    blobs = {blob.digest: blob for image in images for blob in image.blobs}
    with between(system.url) as proxy, replicating(fragile) as here:
        policy = here.policy(project, to=here.instance(system, url=proxy.url))
        run = here.run(policy, within=300)
        assert (run["total"], run["succeed"]) == (ARTIFACTS, ARTIFACTS)
        assert proxy.stored() == dict.fromkeys(blobs, 1)
        assert run["bytes_sent"] == sum(len(blob.content) for blob in blobs.values())
        assert here.run(policy, within=120)["bytes_sent"] == 0
    target = system.registry()
    for each in range(REPOSITORIES):
        wanted = {f"v{number}": images[number].digest for number in range(each, ARTIFACTS, REPOSITORIES)}
        assert state_of(target, f"{project}/app-{each}") == wanted


class Flood(io.RawIOBase):
    """Two gigabytes that are never in memory at once."""

    def __init__(self) -> None:
        self.length = PIECES * MEBIBYTE
        self._at = 0

    def __len__(self) -> int:
        return self.length

    def read(self, amount: int = -1) -> bytes:
        """Up to a mebibyte: each begins with its number."""
        number, offset = divmod(self._at, MEBIBYTE)
        if number == PIECES:
            return b""
        piece = (number.to_bytes(8, "big") * (MEBIBYTE // 8))[offset:]
        found = piece if amount < 0 else piece[:amount]
        self._at += len(found)
        return found


class Memory:
    """The most that processes had in memory at once, each by itself, looked at while something goes on."""

    def __init__(self, pids: list[int]) -> None:
        self.most = 0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            for pid in self._pids:
                with suppress(FileNotFoundError, ProcessLookupError):
                    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                    self.most = max(self.most, pages * 4096)


def test_a_blob_of_two_gigabytes_is_copied_in_little_memory(fragile: System) -> None:
    project = fragile.new_project()
    repository = f"{project}/big"
    registry = fragile.registry()
    hasher, flood = hashlib.sha256(), Flood()
    while piece := flood.read():
        hasher.update(piece)
    digest = f"sha256:{hasher.hexdigest()}"
    config = Blob.of(json.dumps({"architecture": "amd64", "os": "linux", "of": project}).encode(), OCI_CONFIG)
    layer = {"mediaType": OCI_LAYER, "size": len(Flood()), "digest": digest}
    manifest = Blob.of(
        json.dumps({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config.descriptor, "layers": [layer],
        }).encode(),
        OCI_MANIFEST,
    )
    assert registry.push_blob(repository, config).ok
    scope = f"repository:{repository}:pull,push"
    begun = registry.send("POST", f"/v2/{repository}/blobs/uploads/", scope, data=b"")
    done = requests.put(
        f"{begun.headers['Location']}&digest={digest}", data=Flood(), timeout=300,
        headers={"Authorization": f"Bearer {registry.token(scope)}", "Content-Type": "application/octet-stream"},
    )
    assert done.status_code == requests.codes.created, done.text
    assert registry.put_manifest(repository, "v1", manifest).ok
    settled(lambda: len(fragile.admin.artifacts(repository)), 1, within=30, what="it is catalogued")

    with distribution() as plain, replicating(fragile) as here:
        policy = here.policy(project, to=here.registry(plain.url))
        with Memory(fragile.instance.pids("replication")) as memory:
            run = here.run(policy, within=280)
        assert run["bytes_sent"] == len(Flood()) + len(config.content)
        assert memory.most < LIMIT, f"{memory.most / MEBIBYTE:.0f} MiB"
        stored = plain.storage / f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        assert stored.stat().st_size == len(Flood())
        assert digest_of(OpenRegistry(plain.url), repository, "v1") == manifest.digest
