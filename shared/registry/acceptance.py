"""What a manifest must be before the registry is asked to store it: what distribution would answer with a 500.

Whatever else is wrong with a manifest the registry says itself, clearly enough.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import DOCKER_FOREIGN, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, SCHEMA_VERSION, bare

_ADDRESS: Final = re.compile(
    r"https?://(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?](?:[^\x00-\x20\x7f#%]|%[0-9a-f]{2})*)?",
    re.IGNORECASE,
)
_SHOWN: Final = 200


def refuse_what_cannot_be_stored(body: bytes, media_type: str) -> None:
    """Go on only where distribution has an answer of its own to a manifest of this type.

    An OCI manifest or index must be of schema version 2, and what a manifest says of where a layer can be fetched
    (`urls` of its descriptor, OCI image 1.1) must be addresses of http or https without credentials and fragment: every
    client that pulls is sent there. Raises UnreadableManifest.
    """
    kind = bare(media_type)
    if kind not in {OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST}:
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    if kind != DOCKER_MANIFEST:
        _refuse_other_schema(content)
    if kind != OCI_INDEX and isinstance(content, dict):
        for descriptor in _descriptors(content):
            _refuse_unreachable(descriptor)


def _refuse_other_schema(content: object) -> None:
    if content is None or (isinstance(content, dict) and content.get("schemaVersion") != SCHEMA_VERSION):
        raise UnreadableManifest(f"the manifest must have schemaVersion {SCHEMA_VERSION}")


def _descriptors(content: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    layers = content.get("layers")
    for value in (content.get("config"), *(layers if isinstance(layers, list) else ())):
        if isinstance(value, dict):
            yield value


def _refuse_unreachable(descriptor: Mapping[str, Any]) -> None:
    urls, digest = descriptor.get("urls"), str(descriptor.get("digest"))[:_SHOWN]
    if not urls and descriptor.get("mediaType") == DOCKER_FOREIGN:
        raise UnreadableManifest(f"the foreign layer {digest} must say in urls where it can be fetched")
    for url in urls if isinstance(urls, list) else ():
        if isinstance(url, str) and not _ADDRESS.fullmatch(url):
            sentence = "is no address of http or https without credentials and fragment"
            raise UnreadableManifest(f"the layer {digest} cannot be fetched from {url[:_SHOWN]!r}: it {sentence}")
