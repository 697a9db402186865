"""The client against the registry that most others are made of, open and with a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from secrets import token_hex

import pytest

from services.replication.domain.task import Fault
from services.replication.ends import Found
from services.replication.errors import AttemptFailed
from shared.names import Digest, TagName
from tests.clients.images import Blob, make_image, make_index, make_referrer
from tests.integration.remote_rig import (
    Plain,
    catalogue,
    content,
    descriptor,
    distribution,
    mounted,
    push,
    put,
    whole,
)

# of the password "secret-word", at bcrypt's least cost
HTPASSWD = "alice:$2b$04$CX6gxVezUyu09w9gVqVar.bHqYrhoorZXHZ8frUtikeCKucL0dm96\n"
MIB = 1024 * 1024


@pytest.fixture
def app() -> str:
    return f"library/app-{token_hex(4)}"


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    file = tmp_path_factory.mktemp("htpasswd") / "htpasswd"
    file.write_text(HTPASSWD)
    with distribution(htpasswd={"realm": "closed", "path": str(file)}) as registry:
        yield registry


def test_what_is_pushed_is_found_again_byte_for_byte(plain: Plain, app: str) -> None:
    end, index = catalogue(plain.url).end, make_index(app)
    push(end, app, "v1", index)
    assert end.resolve(app, TagName("v1")) == Digest(index.digest)
    for reference in (TagName("v1"), Digest(index.digest)):
        assert end.manifest(app, reference) == content(index.manifest)
    for blob in index.images[0].blobs:
        assert end.has_blob(app, Digest(blob.digest))
        assert whole(end, app, blob.digest) == blob.content
        assert whole(end, app, blob.digest, 100) == blob.content[100:]


def test_what_is_not_there_is_told_as_such(plain: Plain, app: str) -> None:
    end, digest = catalogue(plain.url).end, Digest.of(b"nothing")
    assert end.resolve(app, TagName("v1")) is None
    assert end.manifest(app, digest) is None
    assert end.tags(app) == []
    assert list(end.referrers(app, digest)) == []
    assert not end.has_blob(app, digest)
    with pytest.raises(AttemptFailed) as failed:
        whole(end, app, digest.text)
    assert failed.value.fault is Fault.NOT_FOUND
    end.delete_manifest(app, digest)


@pytest.mark.parametrize("chunk", [None, 1 * MIB, 10 * MIB])
@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 7])
def test_a_blob_of_any_size_goes_as_a_whole_and_in_chunks(plain: Plain, app: str, chunk: int | None, size: int) -> None:
    blob = Blob.of(b"x" * size, "application/octet-stream")
    end = catalogue(plain.url).end
    assert put(end, app, blob, chunk=chunk) == size
    assert whole(end, app, blob.digest) == blob.content


def test_a_chunked_upload_whose_source_breaks_goes_on_where_the_registry_is(plain: Plain, app: str) -> None:
    blob = Blob.of(bytes(range(256)) * (20 * MIB // 256), "application/octet-stream")
    opened: list[int] = []

    class Breaking(BytesIO):
        def read(self, amount: int | None = -1, /) -> bytes:
            if len(opened) == 1 and self.tell() >= 15 * MIB:
                raise AttemptFailed(Fault.UNREACHABLE, "the source broke off")
            return super().read(amount)

    @contextmanager
    def source(offset: int) -> Iterator[BytesIO]:
        opened.append(offset)
        stream = Breaking(blob.content)
        stream.seek(offset)
        yield stream

    end, sent = catalogue(plain.url).end, [0]
    end.put_blob(app, descriptor(blob), source, chunk=5 * MIB, sent=sent.append)
    assert whole(end, app, blob.digest) == blob.content
    # what came before the break is hashed again, and not sent again
    assert (opened, sum(sent)) == ([0, 0], 20 * MIB)


def test_a_stream_that_breaks_is_sent_anew_where_the_registry_drops_what_it_had(plain: Plain, app: str) -> None:
    blob = Blob.of(b"y" * 3 * MIB, "application/octet-stream")
    left = [AttemptFailed(Fault.UNREACHABLE, "the source broke off")]

    class Breaking(BytesIO):
        def read(self, amount: int | None = -1, /) -> bytes:
            if left and self.tell() >= MIB:
                raise left.pop()
            return super().read(amount)

    @contextmanager
    def source(offset: int) -> Iterator[BytesIO]:
        stream = Breaking(blob.content)
        stream.seek(offset)
        yield stream

    end, sent = catalogue(plain.url).end, [0]
    end.put_blob(app, descriptor(blob), source, chunk=None, sent=sent.append)
    assert whole(end, app, blob.digest) == blob.content
    assert sum(sent) == 4 * MIB


def test_other_content_than_the_digests_is_not_stored(plain: Plain, app: str) -> None:
    end = catalogue(plain.url).end
    lying = Blob(content=b"other", media_type="x", digest=Digest.of(b"right").text)
    for chunk in (None, 2):
        with pytest.raises(AttemptFailed) as failed:
            put(end, app, lying, chunk=chunk)
        assert failed.value.fault is Fault.CORRUPT
    assert not end.has_blob(app, Digest(lying.digest))
    # what had been uploaded is gone as well
    assert not list(plain.storage.glob(f"docker/registry/v2/repositories/{app}/_uploads/*/data"))


def test_a_blob_is_mounted_from_another_repository(plain: Plain, app: str) -> None:
    end, blob = catalogue(plain.url).end, make_image(app).layers[0]
    put(end, app, blob)
    assert mounted(end, f"{app}-2", blob, app)
    assert end.has_blob(f"{app}-2", Digest(blob.digest))


def test_what_cannot_be_mounted_is_sent_in_the_same_breath(plain: Plain, app: str) -> None:
    end, blob = catalogue(plain.url).end, make_image(app).layers[0]
    assert not mounted(end, app, blob, f"{app}-2")
    assert end.has_blob(app, Digest(blob.digest))
    assert not list(plain.storage.glob(f"docker/registry/v2/repositories/{app}/_uploads/*/data"))


def test_a_blob_that_the_repository_holds_itself_is_not_sent(plain: Plain, app: str) -> None:
    end, blob = catalogue(plain.url).end, make_image(app).layers[0]
    assert not mounted(end, app, blob, app)
    assert mounted(end, app, blob, app)


def test_a_manifest_whose_blobs_are_missing_is_told_by_its_fault(plain: Plain, app: str) -> None:
    with pytest.raises(AttemptFailed) as failed:
        catalogue(plain.url).end.put_manifest(app, TagName("v1"), content(make_image(app).manifest))
    assert failed.value.fault is Fault.NOT_FOUND


def test_referrers_are_found_by_the_tag_that_stands_in(plain: Plain, app: str) -> None:
    end, image = catalogue(plain.url).end, make_image(app)
    push(end, app, "v1", image)
    signature = make_referrer(image.manifest)
    push(end, app, signature.digest, signature)
    listed = make_index(app, architectures=()).manifest
    listed = Blob.of(
        listed.content.replace(b'"manifests": []', b'"manifests": [%s]' % _json(signature.manifest)), listed.media_type
    )
    end.put_manifest(app, TagName(image.digest.replace(":", "-")), content(listed))
    assert [each.digest.text for each in end.referrers(app, Digest(image.digest))] == [signature.digest]


def test_a_tag_is_never_deleted_by_its_digest(plain: Plain, app: str) -> None:
    end, image = catalogue(plain.url).end, make_image(app)
    push(end, app, "v1", image)
    push(end, app, "v2", image)
    with pytest.raises(AttemptFailed, match="cannot delete the tag v1 alone") as failed:
        end.delete_tag(app, TagName("v1"))
    assert failed.value.fault is Fault.REFUSED
    assert sorted(end.tags(app)) == ["v1", "v2"]


def test_a_manifest_is_deleted_with_its_tags(plain: Plain, app: str) -> None:
    end, image = catalogue(plain.url).end, make_image(app)
    push(end, app, "v1", image)
    end.delete_manifest(app, Digest(image.digest))
    end.delete_manifest(app, Digest(image.digest))
    assert end.resolve(app, TagName("v1")) is None


def test_repositories_and_artifacts_are_listed(plain: Plain, app: str) -> None:
    listing, image = catalogue(plain.url), make_image(app)
    for tag in ("v1", "v2"):
        push(listing.end, app, tag, image)
    listing.check()
    assert list(listing.repositories(app)) == [app]
    assert list(listing.repositories("nowhere/")) == []
    found = sorted(listing.artifacts(app), key=lambda each: each.tags)
    assert found == [Found(repository=app, tags=(tag,)) for tag in ("v1", "v2")]
    listing.prepare(app, public=True)


def test_a_password_is_shown_where_it_is_asked_for(closed: Plain, app: str) -> None:
    listing, image = catalogue(closed.url, access_key="alice", access_secret="secret-word"), make_image(app)
    listing.check()
    push(listing.end, app, "v1", image)
    assert listing.end.tags(app) == ["v1"]


@pytest.mark.parametrize("password", [None, "wrong-word"])
def test_a_wrong_password_and_none_are_denied(closed: Plain, app: str, password: str | None) -> None:
    listing = catalogue(closed.url, access_key="alice", access_secret=password)
    for refused in (listing.check, lambda: listing.end.tags(app), lambda: put(listing.end, app, Blob.of(b"x", "x"))):
        with pytest.raises(AttemptFailed) as failed:
            refused()
        assert failed.value.fault is Fault.DENIED
        assert "wrong-word" not in failed.value.sentence


def _json(blob: Blob) -> bytes:
    text = f'{{"mediaType": "{blob.media_type}", "digest": "{blob.digest}", "size": {len(blob.content)}}}'
    return text.encode()
