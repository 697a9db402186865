"""What the catalogue keeps of an artifact's configuration: small, and of values that a jsonb column can hold."""

import json
import math
from typing import Any, Final

from shared.registry.errors import UnreadableManifest
from shared.registry.manifests import ImageConfig

ATTRIBUTES_LIMIT: Final = 32 * 1024
"""Bytes of JSON that one artifact adds to every list it is in."""
_DEPTH = 12


def image_attributes(config: ImageConfig) -> dict[str, Any]:
    """An image's attributes as Harbor names them; an inner configuration that is too long is left out."""
    attributes: dict[str, Any] = {"architecture": config.architecture, "os": config.os, "author": config.author}
    if config.created is not None:
        attributes["created"] = config.created.isoformat().replace("+00:00", "Z")
    inner = storable(config.config)
    return attributes | ({"config": inner} if _fits(inner) else {})


def other_attributes(body: bytes) -> dict[str, Any]:
    """The fields of any other JSON configuration, nothing where it is too long. Raises UnreadableManifest."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableManifest("the configuration is not JSON") from error
    attributes = storable(content)
    return attributes if isinstance(attributes, dict) and _fits(attributes) else {}


def storable(value: object, depth: int = 0) -> Any:  # noqa: ANN401 - JSON values of any kind
    """The value without NUL, lone surrogates, numbers beyond JSON, and what is nested too deep."""
    match value:
        case bool() | int() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
        case dict() if depth < _DEPTH:
            return {storable(str(name)): storable(item, depth + 1) for name, item in value.items()}
        case list() if depth < _DEPTH:
            return [storable(item, depth + 1) for item in value]
        case _:
            return None


def _fits(value: object) -> bool:
    return len(json.dumps(value)) <= ATTRIBUTES_LIMIT
