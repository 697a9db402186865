"""The file of a backup: what is written is read again, and what is no whole backup is refused."""

from __future__ import annotations

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

SECRET, DUMP, LINK = b"secret", b"PGDMP" * 20_000, b"sha256:aa"


def manifest(**digests: str) -> Manifest:
    return Manifest(
        revision="0113", instance_id="i", created_at=datetime(2026, 1, 2, tzinfo=UTC), registry="/r",
        registry_included=True, digests=digests,
    )  # fmt: skip


def written(folder: Path) -> bytes:
    """A backup with one of each."""
    folder.joinpath("dump").write_bytes(DUMP)
    folder.joinpath("link").write_bytes(LINK)
    target = io.BytesIO()
    writer = Writer(target, lambda _: None)
    digests = {"home/secrets/key": archive.digest(SECRET), archive.DUMP: archive.digest(DUMP)}
    writer.text(archive.MANIFEST, manifest(**digests).encode())
    writer.text("home/secrets/key", SECRET)
    writer.file(archive.DUMP, folder / "dump")
    writer.storage("docker/registry/v2/repositories/a/link", folder / "link")
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


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = written(tmp_path)
    assert read(content) == {
        "home/secrets/key": SECRET, "database.dump/": DUMP, "registry/docker/registry/v2/repositories/a/link": LINK,
    }
    shown = Reader(io.BytesIO(content), lambda _: None).manifest
    assert (shown.revision, shown.created_at) == ("0113", datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7, 0.85])
def test_a_backup_that_is_broken_off_is_refused(tmp_path: Path, part: float) -> None:
    content = written(tmp_path)
    with pytest.raises(BadBackup):
        read(content[: int(len(content) * part)])


def test_a_backup_without_its_end_is_refused(tmp_path: Path) -> None:
    content = written(tmp_path)
    with pytest.raises(BadBackup, match="not whole"):
        read(changed(content, archive.END, called="registry/other"))


@pytest.mark.parametrize(
    ("name", "to"), [("home/secrets/key", b"others"), (archive.DUMP, DUMP[:-1] + b"x"), (archive.END, b'{"files": 2}')]
)
def test_a_backup_that_was_changed_is_refused(tmp_path: Path, name: str, to: bytes) -> None:
    with pytest.raises(BadBackup, match="changed"):
        read(changed(written(tmp_path), name, to=to))


@pytest.mark.parametrize(
    ("called", "kind"),
    [("../outside", tarfile.REGTYPE), ("/etc/passwd", tarfile.REGTYPE), ("registry/../../x", tarfile.REGTYPE),
     ("home", tarfile.REGTYPE), ("elsewhere/x", tarfile.REGTYPE), ("registry/x", tarfile.SYMTYPE),
     ("registry/x", tarfile.CHRTYPE)],
)  # fmt: skip
def test_nothing_is_laid_elsewhere(tmp_path: Path, called: str, kind: bytes) -> None:
    name = "registry/docker/registry/v2/repositories/a/link"
    with pytest.raises(BadBackup, match="which no backup does"):
        read(changed(written(tmp_path), name, called=called, kind=kind))


def test_a_member_that_the_manifest_does_not_know_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBackup, match="knows nothing"):
        read(changed(written(tmp_path), "home/secrets/key", called="home/secrets/other"))


@pytest.mark.parametrize(
    "text", [b"no json", b"[]", b"{}", json.dumps({"format": 2}).encode(), json.dumps({"format": 1, "x": 1}).encode()]
)
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(BadBackup):
        read(changed(written(tmp_path), archive.MANIFEST, to=text))


@pytest.mark.parametrize("content", [b"", b"text", bytes(10_240)])
def test_another_file_is_no_backup(content: bytes) -> None:
    with pytest.raises(BadBackup, match="no backup of Breakwater"):
        read(content)
