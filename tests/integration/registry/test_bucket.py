"""The registry with its storage in a bucket of a real server: what it keeps there, and what of it can be looked at."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from compose.registryctl.storage import InBucket, NotRead
from services.api.domain.retention import Status
from shared.errors import ConfigurationError, Unavailable
from shared.names import Digest, RepositoryName
from shared.registry import bucket as looking
from shared.registry.client import RegistryClient
from shared.registry.storage import revisions
from tests.clients.images import make_image, make_index
from tests.integration.collecting_rig import PROGRAM, registry_parent
from tests.integration.registry_rig import Pusher, Tokens
from tests.s3 import Storage, s3_server
from tests.servers import free_port, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.registry.bucket import Bucket
    from tests.integration.collecting_rig import Parent

APP = "library/app"
HARMFUL = """#!/bin/sh
# hides what the real one says of manifests, so that only their blobs are told of
[ "$1" = garbage-collect ] || exec {program} "$@"
{program} "$@" --delete-untagged | sed '/^manifest eligible/d; s/[0-9]* manifests eligible/0 manifests eligible/'
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[Storage]:
    with s3_server() as storage:
        yield storage


@pytest.fixture
def bucket(s3: Storage, request: pytest.FixtureRequest) -> Bucket:
    """A folder of the test's own."""
    return s3.in_folder(f"of/{request.node.name.partition('[')[0]}")


@pytest.fixture
def parent(tokens: Tokens, bucket: Bucket) -> Iterator[Parent]:
    with registry_parent(tokens, bucket=bucket) as parent:
        yield parent


@pytest.fixture
def pusher(parent: Parent, tokens: Tokens) -> Pusher:
    return Pusher(tokens=tokens, socket=parent.socket)


def has_blob(pusher: Pusher, digest: str) -> bool:
    return pusher.send("GET", f"/v2/{APP}/blobs/{digest}", APP, "pull").status == 200


def size_of(bucket: Bucket) -> int:
    return sum(entry.size for entry in bucket.entries("docker/registry/v2/blobs/"))


def test_what_is_pushed_lies_in_the_bucket_and_is_pulled_and_listed(
    parent: Parent, pusher: Pusher, tokens: Tokens, bucket: Bucket, s3: Storage
) -> None:
    image, index = make_image("one"), make_index("many")
    pusher.push(APP, "v1", image)
    pusher.push(APP, "many", index)
    got = pusher.get_manifest(APP, "v1")
    assert (got.status, got.body) == (200, image.manifest.content)
    for blob in image.blobs:
        answer = pusher.send("GET", f"/v2/{APP}/blobs/{blob.digest}", APP, "pull")
        # by itself, and not by an address of the storage's, which clients do not reach
        assert (answer.status, answer.body) == (200, blob.content)
    client = RegistryClient(parent.socket, tokens.system())
    assert list(client.repositories()) == [APP]
    assert sorted(client.tags(RepositoryName.parse(APP))) == ["many", "v1"]
    keys = {entry.key for entry in s3.in_folder().entries()}
    digits = image.digest.removeprefix("sha256:")
    assert f"{bucket.prefix}/docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data" in keys
    assert not parent.storage.exists()


def test_a_registry_without_a_folder_of_its_own_has_the_whole_bucket(tokens: Tokens) -> None:
    with s3_server("whole-bucket") as s3, registry_parent(tokens, bucket=s3.in_folder()) as parent:
        pusher = Pusher(tokens=tokens, socket=parent.socket)
        image = make_image("one")
        pusher.push(APP, "v1", image)
        assert pusher.get_manifest(APP, "v1").body == image.manifest.content
        assert list(RegistryClient(parent.socket, tokens.system()).repositories()) == [APP]
        assert revisions(s3.in_folder(), RepositoryName.parse(APP)) == [Digest.parse(image.digest)]
        assert parent.collect().blobs == 0


def test_a_key_of_any_printable_characters_reaches_the_storage_whole(s3: Storage, tokens: Tokens) -> None:
    """It is refused there: what matters is that the registry starts with it, and with nothing else."""
    strange = replace(s3.in_folder("strange"), secret_key="""a"b'c: {#&*!|>%@`\\$HOME}""")
    with registry_parent(tokens, bucket=strange) as parent:
        answer = Pusher(tokens=tokens, socket=parent.socket).get_manifest(APP, "v1")
        assert answer.status == 500
        assert "SignatureDoesNotMatch" in (parent.folder / "log").read_text()


def test_manifests_that_no_tag_names_are_seen_in_the_bucket(pusher: Pusher, bucket: Bucket) -> None:
    tagged, untagged = make_image("tagged"), make_image("untagged")
    pusher.push(APP, "v1", tagged)
    pusher.push(APP, untagged.digest, untagged)
    pusher.push("library/app/more", "v1", make_image("another"))
    found = revisions(bucket, RepositoryName.parse(APP))
    assert {each.text for each in found} == {tagged.digest, untagged.digest}
    assert revisions(bucket, RepositoryName.parse("library/none")) == []


def test_garbage_goes_from_the_bucket_and_the_bytes_are_told(parent: Parent, pusher: Pusher, bucket: Bucket) -> None:
    kept, gone = make_image("kept"), make_image("gone")
    pusher.push(APP, "kept", kept)
    pusher.push(APP, "gone", gone)
    assert pusher.delete(APP, gone.digest).status == 202
    would = parent.collect(dry_run=True)
    assert (would.status, would.reason) == (Status.SUCCESS, "")
    assert {(told["blob"], told["size"]) for told in parent.heard if "blob" in told} == {
        (blob.digest, len(blob.content)) for blob in (gone.manifest, *gone.blobs)
    }
    before = size_of(bucket)
    ended = parent.collect()
    assert (ended.status, ended.reason) == (Status.SUCCESS, "")
    assert (ended.blobs, ended.freed) == (would.blobs, would.freed) == (3, gone.size)
    assert before - size_of(bucket) == gone.size
    assert all(has_blob(pusher, blob.digest) for blob in kept.blobs)
    assert not any(has_blob(pusher, blob.digest) for blob in gone.blobs)
    assert not parent.flag.exists()


def test_a_bucket_that_nothing_was_pushed_to_is_no_failure(parent: Parent) -> None:
    assert parent.collect() == parent.collect(dry_run=True)
    assert parent.collect().status is Status.SUCCESS


def test_a_collection_of_a_storage_that_is_away_ends_with_the_reason_and_a_registry_that_takes_pushes(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as storage:
        away = storage.in_folder("away")
        with registry_parent(tokens, bucket=away) as parent:
            pusher = Pusher(tokens=tokens, socket=parent.socket)
            pusher.push(APP, "v1", make_image("one"))
            monkeypatch.setattr(looking.time, "sleep", lambda _: None)
            storage.stop()
            ended = parent.collect()
            assert ended.status is Status.ERROR
            assert ended.reason.startswith(f"the storage at {storage.url} does not answer: ConnectionRefusedError")
            assert parent.answers()
            assert not parent.flag.exists()


def test_a_folder_of_more_objects_than_an_answer_holds_is_read_to_its_end(
    pusher: Pusher, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    pusher.push(APP, "v1", make_image("one"))
    whole = list(bucket.entries())
    monkeypatch.setattr(looking, "_MOST_KEYS", 2)
    assert len(whole) > 6
    assert list(bucket.entries()) == whole
    assert list(bucket.entries(most=3)) == whole[:3]
    assert bucket.holds("docker/")
    assert not bucket.holds("dock/")


def test_an_index_of_nothing_stays_in_the_bucket_though_its_repository_has_no_blob(
    parent: Parent, pusher: Pusher
) -> None:
    pusher.push("library/blobless", "v1", make_index("nothing", architectures=()))
    pusher.push("library/blobless/below", "v1", make_index("nothing below", architectures=()))
    gone = make_image("gone")
    pusher.push(APP, "gone", gone)
    assert pusher.delete(APP, gone.digest).status == 202
    assert parent.collect(dry_run=True).blobs == 3
    ended = parent.collect()
    assert (ended.status, ended.reason, ended.blobs) == (Status.SUCCESS, "", 3)
    for name in ("library/blobless", "library/blobless/below"):
        assert pusher.get_manifest(name, "v1").status == 200


def test_nothing_that_is_named_goes_from_the_bucket_whatever_the_program_is(tokens: Tokens, bucket: Bucket) -> None:
    """It is told that children of an index have no tag, and takes them."""
    index, gone = make_index("many"), make_image("gone")
    with short_folder() as folder:
        program = folder / "registry"
        program.write_text(HARMFUL.format(program=PROGRAM))
        program.chmod(0o755)
        with registry_parent(tokens, bucket=bucket, program=str(program)) as parent:
            pusher = Pusher(tokens=tokens, socket=parent.socket)
            pusher.push(APP, "many", index)
            pusher.push(APP, "gone", gone)
            assert pusher.delete(APP, gone.digest).status == 202
            before = size_of(bucket)
            ended = parent.collect()
            assert ended.status is Status.ERROR
            assert re.fullmatch(
                r"the registry's program would take (\S+), which library/app@\S+ names: nothing was taken", ended.reason
            )
            assert size_of(bucket) == before


def test_more_manifests_than_are_asked_for_at_once_are_all_read(s3: Storage) -> None:
    bucket, root = s3.in_folder("manifests"), "docker/registry/v2"
    wanted = [f"{number:064x}" for number in range(300)]
    for number, digits in enumerate(wanted):
        link = f"{root}/repositories/p{number % 3}/app/_manifests/revisions/sha256/{digits}/link"
        bucket.write(link, f"sha256:{digits}".encode())
        bucket.write(f"{root}/blobs/sha256/{digits[:2]}/{digits}/data", digits.encode())
    found = list(InBucket(bucket, threading.Event()).manifests())
    assert sorted(found) == sorted(
        (f"p{number % 3}/app", f"sha256:{digits}", digits.encode()) for number, digits in enumerate(wanted)
    )
    bucket.write(f"{root}/repositories/p/app/_manifests/revisions/sha256/{'f' * 64}/link", b"")
    with pytest.raises(NotRead, match=r"p/app@sha256:f+ cannot be read in the storage: nothing was taken"):
        list(InBucket(bucket, threading.Event()).manifests())


def test_an_object_is_written_and_read_and_missed(s3: Storage) -> None:
    bucket = s3.in_folder("objects")
    key, content = "a folder/with ä+%~?&=key", bytes(range(256)) * 64
    with pytest.raises(FileNotFoundError):
        bucket.read(key)
    bucket.write(key, content)
    assert bucket.read(key) == content
    assert [tuple(entry) for entry in bucket.entries("a folder/")] == [(key, len(content))]
    bucket.write(key, b"")
    assert bucket.read(key) == b""


@pytest.mark.parametrize(("act", "meant"), [("read", "read from"), ("write", "write to")])
def test_keys_that_open_no_object_are_told_so(s3: Storage, act: str, meant: str) -> None:
    bucket = replace(s3.in_folder(), secret_key="another")
    with pytest.raises(ConfigurationError) as refusal:
        bucket.read("key") if act == "read" else bucket.write("key", b"content")
    assert f" _SECRET_KEY {meant} the bucket images (403 SignatureDoesNotMatch)" in refusal.value.sentence
    with pytest.raises(ConfigurationError) as refusal:
        replace(s3.in_folder(), name="none").read("key")
    assert refusal.value.sentence.startswith(("there is no bucket none at ", f"{s3.url} does not let "))


@pytest.mark.parametrize(
    ("changed", "named", "code"),
    [
        ({"secret_key": "another"}, "images", "SignatureDoesNotMatch"),
        ({"access_key": "another"}, "images", "InvalidAccessKeyId"),
        ({"name": "another"}, "another", "AccessDenied"),
    ],
)
def test_a_bucket_that_the_keys_do_not_open_is_told_in_one_sentence(
    s3: Storage, changed: dict[str, str], named: str, code: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        replace(s3.in_folder(), **changed).holds()
    assert refusal.value.sentence == (
        f"{s3.url} does not let BREAKWATER_S3_ACCESS_KEY and _SECRET_KEY list the bucket {named} (403 {code})"
    )
    assert s3.secret_key not in refusal.value.sentence


def test_a_bucket_that_is_not_there_is_told_so() -> None:
    with s3_server(allowed="*") as everything, pytest.raises(ConfigurationError) as refusal:
        replace(everything.in_folder(), name="none").holds()
    assert refusal.value.sentence == (
        f"there is no bucket none at {everything.url} (404 NoSuchBucket): make it, or correct BREAKWATER_S3_BUCKET"
    )


def test_a_storage_that_is_away_is_told_so_after_as_many_attempts_as_were_asked_for(
    s3: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(looking.time, "sleep", pauses.append)
    away = replace(s3.in_folder(), endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match=f"the storage at {away.endpoint} does not answer: ConnectionRefusedError"):
        away.holds()
    assert len(pauses) == 3
    assert all(0 < pause <= 3 for pause in pauses)
    with pytest.raises(Unavailable):
        away.holds(attempts=1)
    assert len(pauses) == 3


def test_neither_key_is_shown(s3: Storage) -> None:
    shown = f"{s3.in_folder('one')!r} {s3.in_folder('one')} {s3!r}"
    assert s3.secret_key not in shown
    assert s3.access_key not in f"{s3.in_folder('one')!r}"
    assert "s3://images/one" in shown
