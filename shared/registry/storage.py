"""The registry's storage as folders: what no tag names, the HTTP API does not list.

Layout: distribution's path specification, v2, the same in 2.8 and 3.x. Only read, and only where it can be.
"""

from pathlib import Path
from typing import Final

from shared.names import Digest, InvalidName, RepositoryName

_REPOSITORIES: Final = Path("docker/registry/v2/repositories")


def revisions(storage: Path, repository: RepositoryName) -> list[Digest]:
    """The digests of a repository's manifests, tagged or not; none where the storage cannot be read here."""
    folder = storage / _REPOSITORIES / repository.text / "_manifests" / "revisions"
    found: list[Digest] = []
    for link in sorted(folder.glob("*/*/link")):
        try:
            found.append(Digest.parse(f"{link.parent.parent.name}:{link.parent.name}"))
        except InvalidName:
            continue
    return found
