"""The registry's storage as folders: what no tag names, the HTTP API does not list.

Layout: distribution's path specification, v2, the same in 2.8 and 3.x, on a disk and in a bucket. Only read, and only
where it can be.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shared.names import Digest, InvalidName, RepositoryName
from shared.registry.bucket import ROOT, Bucket

_LINK_PARTS: Final = 3
"""Algorithm, digits and the link itself."""


def revisions(storage: Path | Bucket, repository: RepositoryName) -> list[Digest]:
    """The digests of a repository's manifests, tagged or not; none where a disk's storage cannot be read here.

    Raises ConfigurationError or Unavailable where a bucket cannot be read.
    """
    folder = f"{ROOT}/repositories/{repository.text}/_manifests/revisions"
    found: list[Digest] = []
    for link in sorted(_links(storage, folder)):
        parts = link.split("/")
        if len(parts) != _LINK_PARTS or parts[-1] != "link":
            continue
        try:
            found.append(Digest.parse(":".join(parts[:2])))
        except InvalidName:
            continue
    return found


def _links(storage: Path | Bucket, folder: str) -> Iterable[str]:
    if isinstance(storage, Bucket):
        return (entry.key.removeprefix(f"{folder}/") for entry in storage.entries(f"{folder}/"))
    place = storage / folder
    return (str(path.relative_to(place)) for path in place.glob("*/*/link"))
