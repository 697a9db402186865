"""What shows that the images in a backup are those that were put into it.

The name of a blob's file is the digest of its content, and that of most links' too. For all the rest there is a sum
over every file, in the order of the backup. A blob that a bad disk had spoilt before is no reason to refuse the others.
"""

import hashlib
import re
from typing import Final

_BLOB: Final = re.compile(r"docker/registry/v2/blobs/(sha256|sha384|sha512)/[^/]+/([0-9a-f]+)/data")
_LINK: Final = re.compile(r".*/(sha256|sha384|sha512)/([0-9a-f]+)/link", re.DOTALL)
_TAG: Final = re.compile(r".*/_manifests/tags/[^/]+/current/link", re.DOTALL)
_EMPTY: Final = hashlib.sha256().hexdigest()


class ImageFile:
    """One file on its way into a backup or out of it."""

    def __init__(self, name: str) -> None:
        blob = _BLOB.fullmatch(name)
        self.name = name
        self._named = blob[2] if blob else None
        self._hash = hashlib.new(blob[1] if blob else "sha256")
        self.size = 0

    def update(self, block: bytes) -> None:
        """The next bytes of its content."""
        self._hash.update(block)
        self.size += len(block)

    @property
    def digest(self) -> str:
        """Of what has come of it, by the algorithm that its name is of."""
        return self._hash.hexdigest()

    @property
    def is_spoilt_blob(self) -> bool:
        """Whether it is a blob and not what its name says."""
        return self._named not in {None, self.digest}

    @property
    def is_spoilt(self) -> bool:
        """Whether it is a blob or a link and surely not what it has to be."""
        if link := _LINK.fullmatch(self.name):
            return self.digest != hashlib.sha256(f"{link[1]}:{link[2]}".encode()).hexdigest()
        return self.is_spoilt_blob or (self.digest == _EMPTY and bool(_TAG.fullmatch(self.name)))


class Images:
    """All of them so far."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self.files = self.bytes = 0
        self.spoilt_blobs = 0
        self.first_spoilt_blob = self.first_spoilt = ""

    def add(self, file: ImageFile) -> None:
        """The next one, whose content has come as a whole."""
        # no name has a zero in it
        name = file.name.encode(errors="surrogateescape")
        self._sum.update(b"%b\0%d\0%b\n" % (name, file.size, file.digest.encode()))
        self.files, self.bytes = self.files + 1, self.bytes + file.size
        if file.is_spoilt_blob:
            self.spoilt_blobs += 1
            self.first_spoilt_blob = self.first_spoilt_blob or file.name
        if file.is_spoilt:
            self.first_spoilt = self.first_spoilt or file.name

    @property
    def sum(self) -> str:
        """SHA-256 in hex over the names, sizes and digests of all."""
        return self._sum.hexdigest()
