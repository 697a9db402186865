"""The file of a backup: what is written is read again, and what is no whole backup is refused."""

from __future__ import annotations

import gc
import io
import json
import tarfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from compose.local import archive
from compose.local.archive import BadBackup, Manifest, Reader, Writer

if TYPE_CHECKING:
    from pathlib import Path

SECRET, DUMP, BLOB = b"secret", b"PGDMP" * 20_000, b"layer" * 20_000
LINK = f"sha256:{archive.digest(BLOB)}".encode()
STORAGE = "docker/registry/v2"
TAG = f"{STORAGE}/repositories/a/_manifests/tags/v1/current/link"
LAYER = f"{STORAGE}/repositories/a/_layers/sha256/{archive.digest(BLOB)}/link"
CONTENT = f"{STORAGE}/blobs/sha256/{archive.digest(BLOB)[:2]}/{archive.digest(BLOB)}/data"
FILES = {TAG: LINK, LAYER: LINK, CONTENT: BLOB}


def manifest(**digests: str) -> Manifest:
    return Manifest(
        revision="0113", instance_id="i", created_at=datetime(2026, 1, 2, tzinfo=UTC), registry="/r",
        registry_included=True, digests=digests,
    )  # fmt: skip


def written(folder: Path, *, blob: bytes = BLOB) -> bytes:
    """A backup with one of each."""
    folder.joinpath("dump").write_bytes(DUMP)
    target = io.BytesIO()
    writer = Writer(target, lambda _: None)
    digests = {"home/secrets/key": archive.digest(SECRET), archive.DUMP: archive.digest(DUMP)}
    writer.text(archive.MANIFEST, manifest(**digests).encode())
    writer.text("home/secrets/key", SECRET)
    writer.file(archive.DUMP, folder / "dump")
    for name, text in (FILES | {CONTENT: blob}).items():
        folder.joinpath("stored").write_bytes(text)
        writer.storage(name, folder / "stored")
    writer.storage("docker/registry/v2/repositories/a/deleted", folder / "deleted meanwhile")
    writer.finish()
    return target.getvalue()


def read(content: bytes) -> dict[str, bytes]:
    reader, found = Reader(io.BytesIO(content), lambda _: None), {}
    for member in reader.members():
        target = io.BytesIO()
        reader.copy(member, target)
        found[f"{member.place}/{member.name}"] = target.getvalue()
    return found


def changed(
    content: bytes, name: str, *, to: bytes | None = None, called: str | None = None, kind: bytes = tarfile.REGTYPE
) -> bytes:
    """The same tar with one member changed."""
    target = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as source, tarfile.open(fileobj=target, mode="w") as copy:
        for member in source:
            file = source.extractfile(member)
            text = file.read() if file else b""
            if member.name == name:
                text = text if to is None else to
                member.name, member.size, member.type = called or name, len(text), kind
            copy.addfile(member, io.BytesIO(text))
    return target.getvalue()


def end_of(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as source:
        file = source.extractfile(archive.END)
        assert file
        return file.read()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = written(tmp_path)
    assert read(content) == {
        "home/secrets/key": SECRET, "database.dump/": DUMP,
    } | {f"registry/{name}": text for name, text in FILES.items()}
    shown = Reader(io.BytesIO(content), lambda _: None).manifest
    assert (shown.revision, shown.created_at) == ("0113", datetime(2026, 1, 2, tzinfo=UTC))


def test_a_backup_that_is_broken_off_is_refused_wherever_that_is(tmp_path: Path) -> None:
    content = written(tmp_path)
    end = content.index(b"end.json") + 512 + len(end_of(content))
    for length in {*range(0, 3_000, 7), *range(0, end, 5_000), *range(end - 2_000, end)}:
        with pytest.raises(BadBackup):
            read(content[:length])


def test_a_backup_without_its_end_is_refused(tmp_path: Path) -> None:
    content = written(tmp_path)
    with pytest.raises(BadBackup, match="not whole"):
        read(changed(content, archive.END, called="registry/other"))


@pytest.mark.parametrize(
    ("name", "to"), [("home/secrets/key", b"others"), (archive.DUMP, DUMP[:-1] + b"x"), (archive.END, b'{"files": 2}'),
     (archive.END, b"no json"), (archive.END, b"[]"), (archive.END, b"[" * 100_000), (archive.END, b"\xff")],
)  # fmt: skip
def test_a_backup_that_was_changed_is_refused(tmp_path: Path, name: str, to: bytes) -> None:
    with pytest.raises(BadBackup, match="changed"):
        read(changed(written(tmp_path), name, to=to))


@pytest.mark.parametrize(
    ("name", "to"),
    [(CONTENT, b"l" + BLOB[1:-1] + b"x"), (TAG, b""), (LAYER, LINK[:-1] + b"x"), (LAYER, b"")],
)  # fmt: skip
def test_an_image_that_was_changed_is_named(tmp_path: Path, name: str, to: bytes) -> None:
    with pytest.raises(BadBackup, match=f"^registry/{name} in the backup was changed after it was made$"):
        read(changed(written(tmp_path), f"registry/{name}", to=to))


@pytest.mark.parametrize(
    ("name", "to", "called"),
    [(TAG, LINK[:-1] + b"0", None), (TAG, LINK, f"registry/{TAG}x"), (archive.END, b'{"files": 3, "bytes": 1}', None)],
)
def test_images_that_are_not_those_of_the_backup_are_refused(
    tmp_path: Path, name: str, to: bytes, called: str | None
) -> None:
    with pytest.raises(BadBackup, match="not whole"):
        read(changed(written(tmp_path), name if name == archive.END else f"registry/{name}", to=to, called=called))


def test_a_backup_of_the_time_without_a_sum_is_read_and_its_blobs_are_looked_at(tmp_path: Path) -> None:
    end = json.loads(end_of(written(tmp_path)))
    del end["sum"]
    content = changed(written(tmp_path), archive.END, to=json.dumps(end).encode())
    assert read(content)[f"registry/{CONTENT}"] == BLOB
    with pytest.raises(BadBackup, match=f"^registry/{CONTENT} in the backup was changed"):
        read(changed(content, f"registry/{CONTENT}", to=BLOB[:-1] + b"x"))
    with pytest.raises(BadBackup, match="not whole"):
        read(changed(content, f"registry/{TAG}", to=b""))


def test_a_blob_that_was_spoilt_before_is_told_of_and_keeps_nobody_from_the_rest(tmp_path: Path) -> None:
    with Writer(io.BytesIO(), lambda _: None) as writer:
        tmp_path.joinpath("stored").write_bytes(b"spoilt")
        writer.storage(CONTENT, tmp_path / "stored")
    assert (writer.images.spoilt_blobs, writer.images.first_spoilt_blob) == (1, CONTENT)
    assert read(written(tmp_path, blob=b"spoilt"))[f"registry/{CONTENT}"] == b"spoilt"


def test_nothing_but_refusals_comes_of_damaged_bytes(tmp_path: Path) -> None:
    content = written(tmp_path)
    end = content.index(b"end.json")
    for place in (*range(0, 3_000, 3), *range(end, end + 700)):
        damaged = bytearray(content)
        damaged[place] ^= 0x41
        try:
            read(bytes(damaged))
        except BadBackup:
            continue


def test_disk_that_is_full_is_told_of_once(tmp_path: Path) -> None:
    tmp_path.joinpath("stored").write_bytes(BLOB)
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123 - no path has a file without a buffer
        with pytest.raises(OSError, match="No space left"), Writer(full, lambda _: None) as writer:
            writer.storage(CONTENT, tmp_path / "stored")
        del writer
    # what is forgotten does not complain either: warnings are errors
    gc.collect()


@pytest.mark.parametrize(
    ("called", "kind"),
    [("../outside", tarfile.REGTYPE), ("/etc/passwd", tarfile.REGTYPE), ("registry/../../x", tarfile.REGTYPE),
     ("home", tarfile.REGTYPE), ("elsewhere/x", tarfile.REGTYPE), ("registry/x", tarfile.SYMTYPE),
     ("registry/x", tarfile.CHRTYPE)],
)  # fmt: skip
def test_nothing_is_laid_elsewhere(tmp_path: Path, called: str, kind: bytes) -> None:
    name = f"registry/{TAG}"
    with pytest.raises(BadBackup, match="which no backup does"):
        read(changed(written(tmp_path), name, called=called, kind=kind))


def test_a_member_that_the_manifest_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match="knows nothing"):
        read(changed(written(tmp_path), "home/secrets/key", called="home/secrets/other"))


@pytest.mark.parametrize(
    "text",
    [b"no json", b"[]", b"{}", b"5", json.dumps({"format": 2}).encode(), json.dumps({"format": 1, "x": 1}).encode(),
     json.dumps(json.loads(manifest().encode()) | {"registry": None}).encode(),
     json.dumps(json.loads(manifest().encode()) | {"digests": "x"}).encode()],
)  # fmt: skip
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BadBackup, match=r"manifest cannot be read|a form that this version"):
        read(changed(written(tmp_path), archive.MANIFEST, to=text))


@pytest.mark.parametrize("content", [b"", b"text", bytes(10_240)])
def test_another_file_is_no_backup(content: bytes) -> None:
    with pytest.raises(BadBackup, match="no backup of Breakwater"):
        read(content)
