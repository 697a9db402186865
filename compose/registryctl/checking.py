"""Whether the registry's program would take anything that is named: asked before it may take anything.

Which blobs are garbage is the program's to say, and it is another one in each version. What a manifest names is the
specification's: so a program that marks too little is not let to take anything. It is believed that it takes what it
said it would, as nothing is written between the two.
"""

import json
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from compose.registryctl.storage import Manifest

_DIGEST = re.compile(r"\b[a-z0-9+._-]+:[0-9a-f]{32,}\b")
_LISTS = ("layers", "manifests", "blobs")
"""Of descriptors: an image manifest's, an index's, and an artifact manifest's of OCI 1.1's drafts."""


class Doomed(NamedTuple):
    """What the program would take."""

    blobs: AbstractSet[str]
    links: AbstractSet[tuple[str, str]]
    """Of layers, each with its repository: 3.x takes these away too."""


class Named(Exception):
    """The program would take what a manifest names."""


def check(doomed: Doomed, manifests: Iterable[Manifest]) -> None:
    """Raises Named where one of them names what is doomed."""
    for manifest in manifests:
        for digest in (manifest.digest, *_references(manifest.content)):
            if digest in doomed.blobs or (manifest.repository, digest) in doomed.links:
                place = f"{manifest.repository}@{manifest.digest}"
                raise Named(f"the registry's program would take {digest}, which {place} names: nothing was taken")


def _references(content: bytes) -> list[str]:
    """The digests of the blobs and manifests that it is made of; not its subject, which it only points at.

    Of what cannot be read, all that look like one.
    """
    try:
        manifest: dict[str, Any] = json.loads(content)
        named = [str(each["digest"]) for kind in _LISTS for each in manifest.get(kind) or ()]
        if manifest.get("config") is not None:
            named.append(str(manifest["config"]["digest"]))
        return [*named, *(str(layer["blobSum"]) for layer in manifest.get("fsLayers") or ())]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _DIGEST.findall(content.decode("latin-1"))
