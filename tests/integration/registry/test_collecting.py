"""Garbage collected by the registry's parent, with the real registry: what goes, what stays, what can break it."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.api.domain.retention import Status
from shared.errors import Unavailable
from shared.secrets import Secret
from tests.clients.images import Image, make_image, make_index, make_referrer
from tests.integration.collecting_rig import CREDENTIAL, PROGRAM, PROGRAMS, Parent, registry_parent
from tests.integration.registry_rig import Pusher, Tokens
from tests.servers import short_folder, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = "library/house"
SLOW = """#!/bin/sh
# stands still in the middle of a collection, for as long as the file beside it exists
if [ "$1" = garbage-collect ]; then
    while [ -e {gate} ]; do sleep 0.05; done
fi
exec {program} "$@"
"""


FAULTY = {
    # taken by 2.8 to mean the children of a tagged index too
    "it takes what has no tag": """exec {program} "$@" --delete-untagged""",
    # 2.8 goes by the folder of layers to find a repository: what is not found marks nothing
    "it overlooks a repository": """for configuration; do :; done
layers=${{configuration%/*}}/data/docker/registry/v2/repositories/library/house/_layers
mv $layers $layers.hidden; {program} "$@"; ended=$?; mv $layers.hidden $layers; exit $ended""",
    # 3.x says so of links, which it takes away as well
    "it takes a layer's link": """{program} "$@" || exit
echo 'library/house: layer link eligible for deletion: {layer}'""",
    "it says something else": """{program} "$@" | sed 's/eligible for deletion/superfluous/'""",
    "it says nothing": """{program} "$@" >/dev/null 2>&1""",
}
"""Programs that would do harm, made of the real one; only `garbage-collect` of them is another."""


@pytest.fixture(params=PROGRAMS)
def parent(request: pytest.FixtureRequest, tokens: Tokens) -> Iterator[Parent]:
    with registry_parent(tokens, program=request.param) as parent:
        yield parent


@pytest.fixture
def pusher(parent: Parent, tokens: Tokens) -> Pusher:
    return Pusher(tokens=tokens, socket=parent.socket)


@contextmanager
def slow_parent(tokens: Tokens) -> Iterator[tuple[Parent, Path]]:
    """A parent whose collections wait for a file to go."""
    with short_folder() as folder:
        gate, program = folder / "gate", folder / "registry"
        program.write_text(SLOW.format(gate=gate, program=PROGRAM))
        program.chmod(0o755)
        gate.touch()
        with registry_parent(tokens, program=str(program)) as parent:
            yield parent, gate


def has_blob(pusher: Pusher, digest: str, repository: str = HOUSE) -> bool:
    return pusher.send("GET", f"/v2/{repository}/blobs/{digest}", repository, "pull").status == 200


def is_whole(pusher: Pusher, image: Image, repository: str = HOUSE) -> bool:
    """Whether manifest and blobs can all be had."""
    found = pusher.get_manifest(repository, image.digest).status == 200
    return found and all(has_blob(pusher, blob.digest, repository) for blob in image.blobs)


def is_read(parent: Parent, tokens: Tokens, image: Image) -> bool:
    """Whether a newcomer gets it, each part by a connection of its own.

    One that is kept may be closed by the server at any moment, and who keeps it asks again, as nginx does.
    """
    return all(
        Pusher(tokens=tokens, socket=parent.socket)
        .send("GET", path, HOUSE, "pull", headers={"Connection": "close", "Accept": image.manifest.media_type})
        .status == 200
        for path in (
            f"/v2/{HOUSE}/manifests/{image.digest}",
            *(f"/v2/{HOUSE}/blobs/{blob.digest}" for blob in image.blobs),
        )
    )  # fmt: skip


def push_and_delete(pusher: Pusher, seed: str, repository: str = HOUSE) -> Image:
    image = make_image(seed)
    pusher.push(repository, seed, image)
    assert pusher.delete(repository, image.digest).status == 202
    return image


def test_what_nothing_names_goes_and_everything_else_stays(parent: Parent, pusher: Pusher) -> None:
    tagged, untagged, base = make_image("tagged"), make_image("untagged"), make_image("base")
    index = make_index("many")
    signature = make_referrer(tagged.manifest)
    pusher.push(HOUSE, "v1", tagged)
    pusher.push(HOUSE, untagged.digest, untagged)
    pusher.push(HOUSE, "many", index)
    pusher.push(HOUSE, signature.digest, signature)
    pusher.push("library/other", "v1", make_image("other", base=base))
    pusher.push(HOUSE, "base", base)
    assert pusher.delete(HOUSE, base.digest).status == 202
    gone = push_and_delete(pusher, "gone")
    before = sum(path.stat().st_size for path in (parent.storage / "docker/registry/v2/blobs").rglob("data"))
    ended = parent.collect()
    after = sum(path.stat().st_size for path in (parent.storage / "docker/registry/v2/blobs").rglob("data"))
    assert (ended.status, ended.reason) == (Status.SUCCESS, "")
    # the base's manifest and configuration went with it; its layer is the other image's too
    assert ended.blobs == len((gone.manifest, *gone.blobs, base.manifest, base.config))
    assert ended.freed == before - after == gone.size + len(base.manifest.content) + len(base.config.content)
    for image in (tagged, untagged, *index.images, signature):
        assert is_whole(pusher, image)
    assert pusher.get_manifest(HOUSE, "many").status == 200
    assert has_blob(pusher, base.layers[0].digest, "library/other")
    assert not any(has_blob(pusher, blob.digest) for blob in gone.blobs)
    assert not parent.flag.exists()


def test_repositories_that_lack_one_or_the_other_kind_are_no_obstacle(parent: Parent, pusher: Pusher) -> None:
    """An index of nothing needs no blob, an upload makes a repository that has no manifest."""
    image, empty = make_image("kept"), make_index("nothing", architectures=())
    pusher.push("library/blobless", "v1", empty)
    pusher.push(HOUSE, "v1", image)
    pusher.push_blob("library/manifestless", image.layers[0])
    assert pusher.send("POST", "/v2/library/begun/blobs/uploads/", "library/begun", "pull,push").status == 202
    gone = push_and_delete(pusher, "gone")
    ended = parent.collect()
    assert (ended.status, ended.reason, ended.blobs) == (Status.SUCCESS, "", 3)
    assert pusher.get_manifest("library/blobless", "v1").status == 200
    assert is_whole(pusher, image)
    assert not has_blob(pusher, gone.layers[0].digest)


def test_a_layer_stays_in_each_repository_whose_image_names_it(parent: Parent, pusher: Pusher) -> None:
    """Whatever the order in which they are looked at; 3.x takes the links of layers away too."""
    base = make_image("base")
    images = {f"library/{name}": make_image(name, base=base) for name in ("a", "m", "z")}
    for repository, image in images.items():
        pusher.push(repository, "v1", image)
    assert pusher.delete("library/m", images["library/m"].digest).status == 202
    assert parent.collect().status is Status.SUCCESS
    for name in "az":
        assert is_whole(pusher, images[f"library/{name}"], f"library/{name}")
    # what is pushed again is whole again, whether or not the link was left
    pusher.push("library/m", "v1", images["library/m"])
    assert parent.collect().blobs == 0
    assert is_whole(pusher, images["library/m"], "library/m")


def test_where_only_links_of_layers_are_garbage_the_program_is_let_to_take_them(tokens: Tokens) -> None:
    """As 3.x has it, where a layer was sent that another repository's image names, and no image of this one."""
    with short_folder() as folder:
        program, asked = folder / "registry", folder / "asked"
        program.write_text(f"""#!/bin/sh
{PROGRAM} "$@" || exit
[ "$1" = garbage-collect ] || exit 0
echo "$@" >>{asked}
echo 'library/elsewhere: layer link eligible for deletion: {make_image("kept").layers[0].digest}'
""")
        program.chmod(0o755)
        with registry_parent(tokens, program=str(program)) as parent:
            pusher = Pusher(tokens=tokens, socket=parent.socket)
            pusher.push(HOUSE, "v1", make_image("kept"))
            ended = parent.collect()
        assert (ended.status, ended.reason, ended.blobs, ended.freed) == (Status.SUCCESS, "", 0, 0)
        assert [line.split()[1].startswith("--dry-run") for line in asked.read_text().splitlines()] == [True, False]


@pytest.mark.parametrize("fault", FAULTY)
def test_whatever_the_program_is_it_takes_nothing_that_is_named(tokens: Tokens, fault: str) -> None:
    index, gone = make_index("many"), make_image("gone")
    layer = index.images[0].layers[0].digest
    with short_folder() as folder:
        program = folder / "registry"
        said = FAULTY[fault].format(program=PROGRAM, layer=layer)
        program.write_text(f'#!/bin/sh\n[ "$1" = garbage-collect ] || exec {PROGRAM} "$@"\n{said}\n')
        program.chmod(0o755)
        with registry_parent(tokens, program=str(program)) as parent:
            pusher = Pusher(tokens=tokens, socket=parent.socket)
            pusher.push(HOUSE, "many", index)
            pusher.push(HOUSE, "gone", gone)
            assert pusher.delete(HOUSE, gone.digest).status == 202
            ended = parent.collect()
            assert (ended.status, ended.reason.rpartition(": ")[2]) == (Status.ERROR, "nothing was taken")
            assert pusher.get_manifest(HOUSE, "many").status == 200
            assert all(is_whole(pusher, image) for image in index.images)
            assert all(has_blob(pusher, blob.digest) for blob in gone.blobs)
            # and it takes pushes again
            pusher.push(HOUSE, "more", make_image("more"))
            assert not parent.flag.exists()


def test_what_was_collected_can_be_pushed_again_at_once(parent: Parent, pusher: Pusher) -> None:
    image = push_and_delete(pusher, "again")
    assert parent.collect().blobs == 3
    # a registry that had gone on would remember the blobs, and take a manifest that names nothing
    assert pusher.put_manifest(HOUSE, "again", image.manifest).status in {400, 404}
    pusher.push(HOUSE, "again", image)
    assert parent.collect().blobs == 0
    assert is_whole(pusher, image)


def test_a_dry_run_says_what_would_go_and_refuses_no_push(parent: Parent, pusher: Pusher) -> None:
    image = push_and_delete(pusher, "dry")
    registry = parent.child("serve")
    ended = parent.collect(dry_run=True)
    assert (ended.status, ended.blobs, ended.freed) == (Status.SUCCESS, 3, image.size)
    assert {message["blob"] for message in parent.heard if "blob" in message} == {
        image.digest, *(blob.digest for blob in image.blobs)
    }  # fmt: skip
    assert parent.child("serve") == registry
    assert parent.collect().freed == image.size


def test_an_empty_storage_is_no_failure_nor_one_whose_first_blob_is_on_its_way(parent: Parent, pusher: Pusher) -> None:
    assert parent.collect() == parent.collect(dry_run=True)
    assert parent.collect().status is Status.SUCCESS
    assert pusher.send("POST", f"/v2/{HOUSE}/blobs/uploads/", HOUSE, "pull,push").status == 202
    assert (parent.storage / "docker/registry/v2/repositories").is_dir()
    assert parent.collect() == parent.collect(dry_run=True)
    assert parent.collect().status is Status.SUCCESS


@pytest.mark.parametrize("credential", ["", "another", CREDENTIAL.reveal() + "x"])
def test_without_the_credential_nothing_happens(parent: Parent, credential: str) -> None:
    registry = parent.child("serve")
    ended = parent.collect(credential=Secret(credential))
    assert (ended.status, ended.reason) == (Status.ERROR, "this credential commands nothing here")
    assert parent.child("serve") == registry
    assert not parent.flag.exists()


def test_reads_never_fail_while_pushes_are_refused(tokens: Tokens) -> None:
    with slow_parent(tokens) as (parent, gate):
        pusher = Pusher(tokens=tokens, socket=parent.socket)
        image = make_image("read")
        pusher.push(HOUSE, "read", image)
        push_and_delete(pusher, "gone")
        failed, reads, over = [], [0], threading.Event()

        def read() -> None:
            while not over.is_set():
                reads[0] += 1
                if not is_read(parent, tokens, image):
                    failed.append(time.monotonic())

        reader = threading.Thread(target=read)
        reader.start()
        with parent.collecting() as ended:
            wait_for(lambda: parent.child("garbage-collect") is not None, seconds=20, what="a collection runs")
            assert parent.flag.exists()
            refused = pusher.put_manifest(HOUSE, "other", image.manifest)
            assert refused.status == 405
            during = reads[0]
            wait_for(lambda: reads[0] > during + 3, seconds=20, what="reads go on")
            gate.unlink()
        time.sleep(0.5)
        over.set()
        reader.join(20)
        assert (ended[0].status, failed) == (Status.SUCCESS, [])
        pusher.push(HOUSE, "after", make_image("after"))
        wait_for(lambda: len(parent.children()) == 1, seconds=10, what="the stand-in has gone")


def test_only_one_collection_runs(tokens: Tokens) -> None:
    with slow_parent(tokens) as (parent, gate):
        push_and_delete(Pusher(tokens=tokens, socket=parent.socket), "one")
        with parent.collecting() as ended:
            wait_for(lambda: parent.child("garbage-collect") is not None, seconds=20, what="a collection runs")
            assert parent.collect(dry_run=True).reason == "a collection is running already"
            gate.unlink()
        assert ended[0].status is Status.SUCCESS


def test_a_collection_that_is_stopped_leaves_a_registry_that_takes_pushes(tokens: Tokens) -> None:
    with slow_parent(tokens) as (parent, gate):
        pusher = Pusher(tokens=tokens, socket=parent.socket)
        push_and_delete(pusher, "stopped")
        ended = parent.collect(goes_on=lambda: parent.child("garbage-collect") is None)
        assert ended.status is Status.STOPPED
        assert not parent.flag.exists()
        assert parent.child("garbage-collect") is None
        pusher.push(HOUSE, "v1", make_image("v1"))
        gate.unlink()
        assert parent.collect().blobs == 3


@pytest.mark.parametrize("victim", ["parent", "garbage-collect", "readonly", "all"])
def test_whatever_is_killed_in_a_collection_the_next_start_takes_pushes_and_nothing_is_lost(
    tokens: Tokens, victim: str
) -> None:
    with slow_parent(tokens) as (parent, gate):
        pusher = Pusher(tokens=tokens, socket=parent.socket)
        kept = make_image("kept")
        pusher.push(HOUSE, "kept", kept)
        push_and_delete(pusher, "gone")
        with parent.collecting() as ended:
            wait_for(lambda: parent.child("garbage-collect") is not None, seconds=20, what="a collection runs")
            children = parent.children()
            if victim in {"parent", "all"}:
                parent.kill()
            for pid, line in children.items():
                if victim == "all" or victim in line:
                    with suppress(ProcessLookupError):  # without the parent some end by themselves
                        os.kill(pid, signal.SIGKILL)
            if victim in {"garbage-collect", "readonly"}:
                gate.unlink()
        if victim in {"parent", "all"}:
            assert ended[0].reason == "the registry's parent has ended"
            parent.start()
            wait_for(lambda: len(parent.children()) == 1, seconds=10, what="what was left behind is gone")
        assert not parent.flag.exists()
        assert is_whole(pusher, kept)
        pusher.push(HOUSE, "v1", make_image("v1"))
        gate.unlink(missing_ok=True)
        assert parent.collect().status is Status.SUCCESS
        assert is_whole(pusher, kept)


def test_the_parent_ends_with_its_registry_and_its_registry_with_it(parent: Parent) -> None:
    assert parent.process is not None
    registry = parent.child("serve")
    assert registry is not None
    os.kill(registry, signal.SIGKILL)
    assert parent.process.wait(20) == 1
    parent.start()
    parent.process.terminate()
    assert parent.process.wait(20) == 0
    assert parent.children() == {}
    with pytest.raises(Unavailable):
        parent.collect()


def test_a_registry_that_cannot_read_its_storage_collects_nothing(parent: Parent, pusher: Pusher) -> None:
    image, gone = make_image("broken"), push_and_delete(pusher, "gone")
    pusher.push(HOUSE, "broken", image)
    digits = image.digest.removeprefix("sha256:")
    data = parent.storage / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"
    data.write_bytes(b"{")
    ended = parent.collect()
    assert ended.status is Status.ERROR
    assert ended.reason
    assert has_blob(pusher, gone.layers[0].digest)
    assert not parent.flag.exists()
