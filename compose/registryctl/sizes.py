"""How much lies in the registry's storage, on a disk or in a bucket: what a collection tells.

The registry's program says which blobs it takes, and not how large they are.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from compose.registryctl.plan import Plan
    from shared.registry.bucket import Bucket, Entry

Weigh = Callable[[str], "int | None"]
"""The size of a blob by its digest; None where it is not known."""

_V2 = "docker/registry/v2"
_BOTH = ("repositories", "blobs")


class Stopped(Exception):
    """Whoever asked has changed their mind, or is gone."""


class NotRead(Exception):
    """The bucket cannot be looked into."""


class Storage(Protocol):
    """Either kind."""

    def holds_blobs(self) -> bool:
        """Whether a push has ever come as far as to leave a blob in a repository."""

    def size(self) -> int:
        """Bytes of everything that is kept of blobs."""

    def sizes(self) -> Weigh:
        """What tells a blob's size."""


def storage_of(plan: Plan, stop: threading.Event) -> Storage:
    """The storage of this plan; looking into a bucket is broken off by the event, with Stopped."""
    if plan.bucket is None:
        return Folder(plan.storage)
    # HTTP and XML take megabytes, which only this kind costs, and not before its first collection
    from shared.registry.bucket import Bucket  # noqa: PLC0415

    return InBucket(Bucket(**plan.bucket), stop)


class Folder:
    """A storage on a disk."""

    def __init__(self, root: str) -> None:
        self._root = Path(root, _V2)

    def holds_blobs(self) -> bool:
        """By the folders that the first push makes, one after the other."""
        return all((self._root / name).is_dir() for name in _BOTH)

    def size(self) -> int:
        """Of all files."""
        total = 0
        for path, _, names in os.walk(self._root / "blobs"):
            for name in names:
                try:
                    total += Path(path, name).lstat().st_size
                except OSError:
                    continue
        return total

    def sizes(self) -> Weigh:
        """Each is looked at when it is asked for."""

        def weigh(digest: str) -> int | None:
            algorithm, _, digits = digest.partition(":")
            try:
                return Path(self._root, "blobs", algorithm, digits[:2], digits, "data").stat().st_size
            except OSError:
                return None

        return weigh


class InBucket:
    """A storage in a bucket, which lists a thousand objects at a time. Each call raises NotRead, Stopped."""

    def __init__(self, bucket: Bucket, stop: threading.Event) -> None:
        self._bucket, self._stop = bucket, stop

    def holds_blobs(self) -> bool:
        """By any object of either kind."""
        return all(any(True for _ in self._entries(f"{name}/", most=1)) for name in _BOTH)

    def size(self) -> int:
        """Of all objects."""
        return sum(entry.size for entry in self._entries("blobs/"))

    def sizes(self) -> Weigh:
        """All of them are read at once: to ask for each would take longer."""
        known = {}
        for entry in self._entries("blobs/"):
            *_, algorithm, _short, digits, name = ("", "", *entry.key.split("/"))
            if name == "data":
                known[f"{algorithm}:{digits}"] = entry.size
        return known.get

    def _entries(self, folder: str, *, most: int | None = None) -> Iterator[Entry]:
        from shared.errors import BreakwaterError  # noqa: PLC0415 - as above

        try:
            for entry in self._bucket.entries(f"{_V2}/{folder}", most=most):
                if self._stop.is_set():
                    raise Stopped
                yield entry
        except BreakwaterError as error:
            raise NotRead(error.sentence) from error
