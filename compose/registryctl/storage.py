"""What lies in the registry's storage, on a disk or in a bucket: how large it is, and which manifests there are.

The registry's program says which blobs it takes. How large they are, and whether it is right, is looked for here.
Layout: distribution's path specification, v2, the same in 2.8 and 3.x.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from compose.registryctl.plan import Plan
    from shared.registry.bucket import Bucket, Entry

Weigh = Callable[[str], "int | None"]
"""The size of a blob by its digest; None where it is not known."""

_V2 = "docker/registry/v2"
_BOTH = ("repositories", "blobs")
_MANIFESTS, _LAYERS = "_manifests", "_layers"
_REVISIONS = f"/{_MANIFESTS}/revisions/"
_AT_ONCE = 16
"""So many manifests are asked of a bucket at the same time."""


class Stopped(Exception):
    """Whoever asked has changed their mind, or is gone."""


class NotRead(Exception):
    """The storage cannot be looked into."""


class Manifest(NamedTuple):
    """One that a repository holds, tagged or not, as it was pushed."""

    repository: str
    digest: str
    content: bytes


class Storage(Protocol):
    """Either kind. What goes through all of it raises Stopped and NotRead."""

    def holds_blobs(self) -> bool:
        """Whether a push has ever come as far as to leave a blob in a repository."""

    def complete(self) -> None:
        """Give a folder of layers to each repository that has manifests and lacks it.

        An index that lists nothing is pushed without any blob. Distribution 2.8 finds repositories by that folder
        alone, and would take such an index for garbage; 3.x fails where there is none.
        """

    def manifests(self) -> Iterator[Manifest]:
        """All of them."""

    def sizes(self) -> Weigh:
        """What tells a blob's size."""


def storage_of(plan: Plan, stop: threading.Event) -> Storage:
    """The storage of this plan; looking into it is broken off by the event, with Stopped."""
    if plan.bucket is None:
        return Folder(plan.storage, stop)
    # HTTP and XML take megabytes, which only this kind costs, and not before its first collection
    from shared.registry.bucket import Bucket  # noqa: PLC0415

    return InBucket(Bucket(**plan.bucket), stop)


class Folder:
    """A storage on a disk."""

    def __init__(self, root: str, stop: threading.Event) -> None:
        self._root, self._stop = Path(root, _V2), stop

    def holds_blobs(self) -> bool:
        """By the folders that the first push makes, one after the other."""
        return all((self._root / name).is_dir() for name in _BOTH)

    def complete(self) -> None:
        """An empty folder is enough."""
        for repository in self._repositories():
            (repository / _LAYERS).mkdir(exist_ok=True)

    def manifests(self) -> Iterator[Manifest]:
        """By the links of their revisions."""
        for repository in self._repositories():
            name = str(repository.relative_to(self._root / "repositories"))
            for link in (repository / _MANIFESTS / "revisions").glob("*/*/link"):
                algorithm, digits, _ = link.parts[-3:]
                if self._stop.is_set():
                    raise Stopped
                try:
                    content = self._data(algorithm, digits).read_bytes()
                except OSError as error:
                    raise _unreadable(name, f"{algorithm}:{digits}") from error
                yield Manifest(name, f"{algorithm}:{digits}", content)

    def sizes(self) -> Weigh:
        """Each is looked at when it is asked for."""

        def weigh(digest: str) -> int | None:
            algorithm, _, digits = digest.partition(":")
            try:
                return self._data(algorithm, digits).stat().st_size
            except OSError:
                return None

        return weigh

    def _data(self, algorithm: str, digits: str) -> Path:
        return self._root / "blobs" / algorithm / digits[:2] / digits / "data"

    def _repositories(self) -> Iterator[Path]:
        """Those that have manifests; one may lie in another."""
        for path, names, _ in os.walk(self._root / "repositories"):
            if self._stop.is_set():
                raise Stopped
            if _MANIFESTS in names:
                yield Path(path)
            names[:] = [name for name in names if not name.startswith("_")]


class InBucket:
    """A storage in a bucket, which lists a thousand objects at a time."""

    def __init__(self, bucket: Bucket, stop: threading.Event) -> None:
        self._bucket, self._stop = bucket, stop

    def holds_blobs(self) -> bool:
        """By any object of either kind."""
        return all(any(True for _ in self._entries(f"{name}/", most=1)) for name in _BOTH)

    def complete(self) -> None:
        """A folder is there where an object lies below it."""
        from shared.errors import BreakwaterError  # noqa: PLC0415 - as above

        having: dict[str, set[str]] = {_MANIFESTS: set(), _LAYERS: set()}
        for entry in self._entries("repositories/"):
            for kind, names in having.items():
                repository, found, _ = entry.key.partition(f"/{kind}/")
                if found:
                    names.add(repository)
        for repository in sorted(having[_MANIFESTS] - having[_LAYERS]):
            try:
                self._bucket.write(f"{repository}/{_LAYERS}/.keep", b"")
            except BreakwaterError as error:
                raise NotRead(error.sentence) from error

    def manifests(self) -> Iterator[Manifest]:
        """Several are asked for at once: one after the other would take hours."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - as above

        waiting: list[tuple[str, str]] = []
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for entry in self._entries("repositories/"):
                path, found, revision = entry.key.partition(_REVISIONS)
                if found and revision.endswith("/link"):
                    waiting.append((path.removeprefix(f"{_V2}/repositories/"), revision.removesuffix("/link")))
                if len(waiting) >= 8 * _AT_ONCE:
                    yield from pool.map(self._manifest, waiting)
                    waiting = []
            yield from pool.map(self._manifest, waiting)

    def sizes(self) -> Weigh:
        """All of them are read at once: to ask for each would take longer."""
        known = {}
        for entry in self._entries("blobs/"):
            *_, algorithm, _short, digits, name = ("", "", *entry.key.split("/"))
            if name == "data":
                known[f"{algorithm}:{digits}"] = entry.size
        return known.get

    def _manifest(self, of: tuple[str, str]) -> Manifest:
        from shared.errors import BreakwaterError  # noqa: PLC0415 - as above

        repository, revision = of
        algorithm, _, digits = revision.partition("/")
        if self._stop.is_set():
            raise Stopped
        try:
            content = self._bucket.read(f"{_V2}/blobs/{algorithm}/{digits[:2]}/{digits}/data")
        except FileNotFoundError as error:
            raise _unreadable(repository, f"{algorithm}:{digits}") from error
        except BreakwaterError as error:
            raise NotRead(error.sentence) from error
        return Manifest(repository, f"{algorithm}:{digits}", content)

    def _entries(self, folder: str, *, most: int | None = None) -> Iterator[Entry]:
        from shared.errors import BreakwaterError  # noqa: PLC0415 - as above

        try:
            for entry in self._bucket.entries(f"{_V2}/{folder}", most=most):
                if self._stop.is_set():
                    raise Stopped
                yield entry
        except BreakwaterError as error:
            raise NotRead(error.sentence) from error


def _unreadable(repository: str, digest: str) -> NotRead:
    return NotRead(f"{repository}@{digest} cannot be read in the storage: nothing was taken")
