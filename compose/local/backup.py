"""`backup`: one file with all that an instance is, taken while it runs.

The database is read at one moment, and everything else after it: what the catalogue names is in the storage, unless it
was deleted meanwhile, and a key that a row is sealed with is among the keys. The broker is left out: its messages are
in the log of events, and a restored instance publishes the last day of it again, which each consumer knows by its id.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from compose.local import archive
from compose.local.archive import Manifest, Progress, Writer
from compose.local.bucket import bucket_of
from compose.local.database import answers, owner_settings, program_environment, storage_kept
from compose.local.options import REMEMBERED
from compose.local.site import Site
from shared.errors import BreakwaterError, Conflict, Unavailable
from shared.migrations.run import current

_UNFINISHED = ".breakwater-backup-"
_LOCK = "lock"
_UPLOADS = "_uploads"
"""What clients are sending just now, in the registry's storage."""


class BackupFailed(BreakwaterError):
    """The database cannot be read; the sentence holds what pg_dump said."""

    code = "BACKUP_FAILED"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A backup that is whole."""

    file: Path
    size: int
    database_size: int
    registry_included: bool
    spoilt_blobs: int
    """How many of the images' files a disk had spoilt before."""
    first_spoilt_blob: str


def prepared(site: Site, file: Path, *, with_registry: bool) -> "Preparation":
    """Read the database, into a folder beside the file that is to be. The caller ends what is returned by `with`.

    What a backup that was killed has left in that place is removed.

    Raises Conflict where the file exists, the images were to go with it and lie in a bucket, the instance is stopped or
    garbage is collected just now, and BackupFailed.
    """
    if file.exists():
        raise Conflict(f"{file} exists already: remove it, or name another")
    if with_registry and (bucket := bucket_of(site.layout, site.options)):
        raise Conflict(
            f"the images lie in {bucket}, which a backup does not take along: "
            "say --no-registry, and keep versions or a copy of the bucket"
        )
    if not answers(site) and site.options.database_host:
        raise Unavailable(f"the database at {site.database_host}:{site.database_port} does not answer")
    if not answers(site):
        raise Conflict(f"the instance in {site.layout.home} is stopped: {site.starting} starts it")
    with ExitStack() as stack:
        if with_registry:
            stack.enter_context(storage_kept(site))
        remove_unfinished(file.parent)
        folder = stack.enter_context(unfinished(file.parent))
        created_at, dump = datetime.now(UTC), folder / archive.DUMP
        revision = current(owner_settings(site))
        _dump(site, dump)
        return Preparation(
            site=site, file=file, dump=dump, created_at=created_at, revision=revision, with_registry=with_registry,
            held=stack.pop_all(),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """The database as it was at one moment, and what is still to be read."""

    site: Site
    file: Path
    dump: Path
    """The database as it was."""
    created_at: datetime
    revision: str
    with_registry: bool
    held: ExitStack
    """What was read, and that no garbage is collected meanwhile."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Remove what was read."""
        self.held.close()

    def size(self) -> int:
        """About how many bytes will be written."""
        storage = sum(map(_size, self._storage())) if self.with_registry else 0
        return self.dump.stat().st_size + storage

    def write(self, progress: Progress) -> Taken:
        """Write the file: under its name it is whole, or not there. Raises OSError."""
        partial = self.dump.with_name("backup")
        with archive.private(partial) as target:
            with Writer(target, progress) as writer:
                self._write(writer)
            target.flush()
            os.fsync(target.fileno())
        partial.rename(self.file)
        return Taken(
            file=self.file, size=self.file.stat().st_size, database_size=self.dump.stat().st_size,
            registry_included=self.with_registry, spoilt_blobs=writer.images.spoilt_blobs,
            first_spoilt_blob=writer.images.first_spoilt_blob,
        )  # fmt: skip

    def _write(self, writer: Writer) -> None:
        layout = self.site.layout
        kept = {f"{archive.HOME}/{path.relative_to(layout.home)}": path for path in _kept(layout.home, layout.secrets)}
        contents = {name: path.read_bytes() for name, path in kept.items()}
        manifest = Manifest(
            revision=self.revision, instance_id=layout.instance_id.read_text().strip(), created_at=self.created_at,
            registry=storage_place(self.site), registry_included=self.with_registry,
            digests={name: archive.digest(content) for name, content in contents.items()}
            | {archive.DUMP: archive.digest_of(self.dump)},
        )  # fmt: skip
        writer.text(archive.MANIFEST, manifest.encode())
        for name, content in contents.items():
            writer.text(name, content)
        writer.file(archive.DUMP, self.dump)
        if self.with_registry:
            for path in self._storage():
                writer.storage(str(path.relative_to(layout.registry)), path)
        writer.finish()

    def _storage(self) -> Iterator[Path]:
        """The registry's files: no tag without its manifest, no manifest without its layers, no layer without content.

        A push writes what is named before what names it. Here it is the other way round.
        """
        root = self.site.layout.registry / "docker" / "registry" / "v2"
        yield from _files(root / "repositories", lambda kind: kind == "tags")
        yield from _files(root / "repositories", lambda kind: kind == "revisions")
        yield from _files(root / "repositories", lambda kind: kind not in {"tags", "revisions"})
        yield from _files(root / "blobs", lambda _: True)


@contextmanager
def unfinished(parent: Path) -> Iterator[Path]:
    """A folder for what is no backup yet, which nobody else may enter; it goes when the block ends.

    It holds a file that is locked from the moment it has its name: who is killed leaves it unlocked.
    """
    with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=parent) as name:
        new = Path(name) / f"{_LOCK}.new"
        with new.open("wb") as file:
            with suppress(OSError):  # where there are no locks, nobody can tell whether it is at work: it is left alone
                fcntl.flock(file, fcntl.LOCK_EX)
                new.rename(new.with_name(_LOCK))
            yield Path(name)


def remove_unfinished(parent: Path) -> None:
    """Remove such folders of those who were killed; one whose file is locked, or that has none, may be at work."""
    for lock in parent.glob(f"{_UNFINISHED}*/{_LOCK}"):
        with suppress(OSError), lock.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def storage_place(site: Site) -> str:
    """Where the images lie: a folder, or a bucket."""
    return str(bucket_of(site.layout, site.options) or site.layout.registry)


def _kept(home: Path, secrets: Path) -> Iterator[Path]:
    yield from (home / name for name in ("instance-id", REMEMBERED) if (home / name).exists())
    yield from sorted(path for path in secrets.rglob("*") if path.is_file())


def _files(root: Path, wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Those whose folder among a repository's manifests is wanted; that of all else is empty."""
    for folder, folders, files in os.walk(root):
        folders[:] = [each for each in folders if each != _UPLOADS]
        if wanted(folder.partition("/_manifests/")[2].partition("/")[0]):
            yield from (Path(folder) / file for file in files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _dump(site: Site, target: Path) -> None:
    command: list[str | Path] = [
        site.binaries.postgresql / "pg_dump", "--format=custom", "--no-password", f"--file={target}",
        site.database_name,
    ]  # fmt: skip
    done = subprocess.run(
        command, env=program_environment(site), capture_output=True, text=True, check=False, umask=0o077
    )
    if done.returncode:
        raise BackupFailed(f"the database cannot be read: {(done.stderr or done.stdout).strip()}")
