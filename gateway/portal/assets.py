"""The portal's files under addresses that change with their contents, so that a browser keeps them for good.

They are read and compressed once, at start. A folder that is missing costs the portal its looks, not the API its start.
"""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources.abc import Traversable
from pathlib import Path, PurePath
from typing import Final

import falcon

from shared import logging
from shared.errors import NotFound

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What is served, by its name's ending; nothing else in the folders is."""
_FOR_GOOD: Final = "public, max-age=31536000, immutable"
_VERSION_LENGTH: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """One file, as it is sent."""

    content_type: str
    plain: bytes
    compressed: bytes


class Assets:
    """/assets/{version}/{name}."""

    def __init__(self, folders: Sequence[Path | Traversable]) -> None:
        """Read the folders; of two files with one name the later folder's is served."""
        files = dict(sorted({name: content for folder in folders for name, content in _files(folder)}.items()))
        self._assets = {
            name: Asset(
                content_type=TYPES[PurePath(name).suffix],
                plain=content,
                compressed=gzip.compress(content, mtime=0),
            )
            for name, content in files.items()
        }
        digest = sha256()
        for name, content in files.items():
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        self.version: Final = digest.hexdigest()[:_VERSION_LENGTH]

    def url(self, name: str) -> str:
        """The address of a file, for a page; that of one that is not there answers 404."""
        return f"/assets/{self.version}/{name}"

    def on_get(self, req: falcon.Request, resp: falcon.Response, version: str, name: str) -> None:
        """The file. Raises NotFound, for another version too: what is kept for good must not be another's content."""
        asset = self._assets.get(name)
        if asset is None or version != self.version:
            raise NotFound
        resp.content_type = asset.content_type
        resp.set_header("Cache-Control", _FOR_GOOD)
        resp.set_header("Vary", "Accept-Encoding")
        if _takes_gzip(req.get_header("Accept-Encoding") or ""):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = asset.compressed
        else:
            resp.data = asset.plain


def _files(folder: Path | Traversable) -> Iterator[tuple[str, bytes]]:
    if not folder.is_dir():
        logging.get().error("portal.assets_missing", folder=str(folder))
        return
    for entry in folder.iterdir():
        if PurePath(entry.name).suffix in TYPES and entry.is_file():
            yield entry.name, entry.read_bytes()


def _takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding (RFC 9110, 12.5.3) names gzip, and not with the weight of zero that refuses it."""
    for part in header.split(","):
        coding, _, weight = part.replace(" ", "").lower().partition(";")
        if coding == "gzip":
            return not weight or weight.removeprefix("q=").strip("0.") != ""
    return False
