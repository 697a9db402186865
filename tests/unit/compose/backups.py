"""Backups of next to nothing, for whoever restores them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compose.local import archive
from compose.local.archive import Manifest, Writer

if TYPE_CHECKING:
    from pathlib import Path

REVISION = "0001"
KEPT = {"home/instance-id": b"an-id\n", "home/secrets/audit/chain-key": b"key", "home/settings.json": b"{}"}
DUMP, LINK = b"PGDMP", b"sha256:aa"
LINKED = "docker/registry/v2/repositories/a/link"


def written(
    folder: Path, *, registry: str = "/r", included: bool = True, revision: str = REVISION, whole: bool = True
) -> Path:
    file, dump, link = folder / "taken", folder / "dump", folder / "link"
    dump.write_bytes(DUMP)
    link.write_bytes(LINK)
    digests = {name: archive.digest(content) for name, content in KEPT.items()} | {archive.DUMP: archive.digest(DUMP)}
    with file.open("wb") as target:
        writer = Writer(target, lambda _: None)
        writer.text(archive.MANIFEST, Manifest(
            revision=revision, instance_id="an-id", created_at=datetime(2026, 1, 1, tzinfo=UTC), registry=registry,
            registry_included=included, digests=digests,
        ).encode())  # fmt: skip
        for name, content in KEPT.items():
            writer.text(name, content)
        if whole:
            writer.file(archive.DUMP, dump)
            if included:
                writer.storage(LINKED, link)
        writer.finish()
    return file
