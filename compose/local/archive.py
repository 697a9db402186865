"""The file that a backup is: a tar with a manifest first, what an instance is next, and a last member that ends it.

    manifest.json        what it is a backup of, and the digests of all but the registry's storage
    home/…               instance id, settings and secrets, at their places in the instance's home
    database.dump        pg_dump's custom format
    registry/…           the registry's storage, where it is included
    end.json             how much of the storage there is, and a sum over it: without it the file is broken off

Whoever reads it trusts no name in it: members lie below those folders, and are files.
"""

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Self

from compose.local.images import ImageFile, Images
from shared.errors import BreakwaterError

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
HOME: Final = "home"
REGISTRY: Final = "registry"
END: Final = "end.json"
_NONE: Final = "the file is no backup of Breakwater"
_NO_MANIFEST: Final = "the backup's manifest cannot be read"
_NOT_WHOLE: Final = "the backup is not whole: it is broken off, or was changed"
_BLOCK: Final = 2**20
_MOST_JSON: Final = 2**24

Progress = Callable[[int], None]
"""Told how many bytes have gone by since it was told last."""


class BadBackup(BreakwaterError):
    """A file is no backup, or not a whole one."""

    code = "BAD_BACKUP"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a backup is of."""

    revision: str
    """The newest migration of its database."""
    instance_id: str
    created_at: datetime
    """Before the database was read: what happened later may be missing."""
    registry: str
    """The folder of the registry's storage, or the bucket: `s3://NAME/PREFIX`."""
    registry_included: bool
    digests: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 in hex of each member below home, and of the dump."""

    @property
    def registry_on_disk(self) -> bool:
        """Whether the storage was a folder, which somebody has to bring where it is not included."""
        return not self.registry.startswith("s3://")

    def encode(self) -> bytes:
        """As the archive has it."""
        values = asdict(self) | {"format": FORMAT, "created_at": self.created_at.isoformat()}
        return json.dumps(values, indent=1).encode()

    @classmethod
    def decode(cls, text: bytes) -> "Manifest":
        """Raises BadBackup."""
        try:
            values = _parsed(text)
            if values.pop("format") != FORMAT:
                raise BadBackup("the backup is of a form that this version of Breakwater does not know")
            found = cls(**values | {"created_at": datetime.fromisoformat(values["created_at"])})
        except (ValueError, KeyError, TypeError) as error:
            raise BadBackup(_NO_MANIFEST) from error
        texts = [found.revision, found.instance_id, found.registry]
        if not isinstance(found.digests, dict) or not all(isinstance(each, str) for each in texts):
            raise BadBackup(_NO_MANIFEST)
        return found


class Writer:
    """Writes one archive; `finish` makes it whole. For `with`, which ends what cannot be written to its end."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._tar = tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT)  # noqa: SIM115 - finish
        self._progress = progress
        self.images = Images()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_error: object) -> None:
        if kind is not None:
            # else the tar writes its end when it is forgotten, into a file that is closed by then
            with suppress(OSError):
                self._tar.close()

    def text(self, name: str, content: bytes) -> None:
        """A member that is in memory."""
        self._tar.addfile(_member(name, len(content)), BytesIO(content))

    def file(self, name: str, path: Path) -> None:
        """A member that is a file, as long as it is when it is opened. Raises OSError."""
        self._copy(name, path, lambda _: None)

    def storage(self, name: str, path: Path) -> None:
        """A file of the registry's storage; one that was deleted meanwhile is left out."""
        file = ImageFile(name)
        try:
            self._copy(f"{REGISTRY}/{name}", path, file.update)
        except FileNotFoundError:
            return
        self.images.add(file)

    def finish(self) -> None:
        """The last member, and the end of the tar."""
        end = {"files": self.images.files, "bytes": self.images.bytes, "sum": self.images.sum}
        self.text(END, json.dumps(end).encode())
        self._tar.close()

    def _copy(self, name: str, path: Path, told: Callable[[bytes], None]) -> None:
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            self._tar.addfile(_member(name, size), _Counting(source, size, self._progress, told))


@dataclass(frozen=True, kw_only=True)
class Member:
    """What comes next in an archive that is being read."""

    place: str
    """`home`, `database.dump` or `registry`."""
    name: str
    """Below that place; empty for the dump."""
    entry: tarfile.TarInfo
    digest: str | None
    """What its content has to be; None of the storage, which is looked at as a whole."""


class Reader:
    """Reads one archive from its beginning: the manifest at once, then each member once and in order."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        """Raises BadBackup."""
        self._progress = progress
        self._images = Images()
        with _refused(_NONE):
            self._tar = tarfile.open(fileobj=file, mode="r|")  # noqa: SIM115 - as long as the file
            first = self._tar.next()
        if first is None or first.name != MANIFEST:
            raise BadBackup(_NONE)
        self.manifest = Manifest.decode(self._small(first))

    def members(self) -> Iterator[Member]:
        """All of them, each to be copied before the next. The last one is given before the images as a whole are known.

        Raises BadBackup where the archive is broken off or changed, or holds what no backup does.
        """
        digests = dict(self.manifest.digests)
        while (found := self._next()) is not None:
            if found.name == END:
                if digests:
                    break
                self._compare(self._small(found))
                return
            place, name = _placed(found)
            digest = digests.pop(found.name, None)
            if digest is None and place != REGISTRY:
                raise BadBackup(f"the backup holds {found.name[:200]!r}, of which its manifest knows nothing")
            yield Member(place=place, name=name, entry=found, digest=digest)
        raise BadBackup(_NOT_WHOLE)

    def copy(self, member: Member, target: IO[bytes]) -> None:
        """Write the member that came last. Raises BadBackup where it is not what the manifest says."""
        file, hashed = ImageFile(member.name), hashlib.sha256()
        update = file.update if member.digest is None else hashed.update
        for block in self._blocks(member.entry):
            update(block)
            target.write(block)
            self._progress(len(block))
        if member.digest is None:
            self._images.add(file)
        elif member.digest != hashed.hexdigest():
            raise BadBackup(_changed(member.entry.name))

    def _compare(self, end: bytes) -> None:
        """Hold the images against what the last member says of them. Raises BadBackup.

        Backups had no sum once. Of those that have one, a blob that is not what its name says was so before.
        """
        try:
            told = _parsed(end)
        except ValueError as error:
            raise BadBackup(_NOT_WHOLE) from error
        images = self._images
        if "sum" in told:
            same, first = told["sum"] == images.sum, images.first_spoilt
        else:
            same, first = not images.spoilt_blobs, images.first_spoilt_blob
        counted = (told.get("files"), told.get("bytes")) == (images.files, images.bytes)
        if not (same and counted):
            raise BadBackup(_changed(f"{REGISTRY}/{first}") if first else _NOT_WHOLE)

    def _next(self) -> tarfile.TarInfo | None:
        with _refused(_NOT_WHOLE):
            return self._tar.next()

    def _blocks(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """The content, to its last byte. Raises BadBackup."""
        source, left = self._open(member), member.size
        while left:
            with _refused(_NOT_WHOLE):
                block = source.read(min(_BLOCK, left))
            if not block:
                raise BadBackup(_NOT_WHOLE)
            left -= len(block)
            yield block

    def _open(self, member: tarfile.TarInfo) -> IO[bytes]:
        source = self._tar.extractfile(member) if member.isreg() else None
        if source is None:
            raise BadBackup(f"the backup holds {member.name[:200]!r}, which is no file")
        return source

    def _small(self, member: tarfile.TarInfo) -> bytes:
        if member.size > _MOST_JSON:
            raise BadBackup(_NONE)
        return b"".join(self._blocks(member))


def private(path: Path) -> IO[bytes]:
    """A file that is new or emptied, which nobody else may read, for writing."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o600), "wb")


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def digest_of(path: Path) -> str:
    """The same of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _parsed(text: bytes) -> dict[str, Any]:
    """An object of JSON. Raises ValueError."""
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is too deep") from error
    if not isinstance(values, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - as of any other text that is not what it has to be
    return values


def _changed(name: str) -> str:
    return f"{name} in the backup was changed after it was made"


@contextmanager
def _refused(sentence: str) -> Iterator[None]:
    """What the library says of a tar that it cannot read; at numbers and fields it fails without words of its own."""
    try:
        yield
    except (tarfile.TarError, ValueError, LookupError, ArithmeticError, EOFError) as error:
        raise BadBackup(sentence) from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    return member


def _placed(member: tarfile.TarInfo) -> tuple[str, str]:
    """Where a member belongs and its name there. Raises BadBackup for one that would lie elsewhere."""
    path = PurePosixPath(member.name)
    if not member.isreg() or path.is_absolute() or ".." in path.parts or not path.parts or "\0" in member.name:
        raise BadBackup(f"the backup holds {member.name[:200]!r}, which no backup does")
    place, *rest = path.parts
    if (place == DUMP and not rest) or (place in {HOME, REGISTRY} and rest):
        return place, "/".join(rest)
    raise BadBackup(f"the backup holds {member.name[:200]!r}, which no backup does")


class _Counting:
    """A file of which exactly so many bytes are read; where it has shrunk meanwhile, zeros stand for the rest."""

    def __init__(
        self, source: IO[bytes], size: int, progress: Progress, told: Callable[[bytes], None]
    ) -> None:
        self._source, self._left, self._progress, self._told = source, size, progress, told

    def read(self, most: int = _BLOCK, /) -> bytes:
        wanted = min(most, self._left)
        block = self._source.read(wanted)
        block += bytes(wanted - len(block))
        self._left -= len(block)
        self._told(block)
        self._progress(len(block))
        return block
