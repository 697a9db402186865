"""What an artifact is made of, and how an image was built, as the registry holds it."""

from collections.abc import Mapping
from typing import Any, Final

from services.api.domain.artifact import Artifact
from shared.errors import NotFound
from shared.names import Digest, RepositoryName
from shared.registry.client import RegistryClient
from shared.registry.manifests import Manifest, parse, parse_image_config

CONFIG_LIMIT: Final = 4 * 1024 * 1024


TITLE: Final = "org.opencontainers.image.title"
"""Annotation of a layer: the name of the file that it holds."""


def layers(registry: RegistryClient, repository: RepositoryName, artifact: Artifact) -> list[Mapping[str, Any]]:
    """The layers of its manifest, the lowest first; an index has none. Raises NotFound, RegistryUnavailable."""
    stored = registry.manifest(repository, Digest(artifact.digest))
    if stored is None:
        raise NotFound(f"{repository}@{artifact.digest} is not in the registry")
    manifest = parse(stored.body, stored.media_type)
    return [
        {
            "digest": layer.digest.text,
            "media_type": layer.media_type,
            "size": layer.size,
            "title": layer.annotations.get(TITLE, ""),
        }
        for layer in (manifest.layers if isinstance(manifest, Manifest) else ())
    ]


def build_history(registry: RegistryClient, repository: RepositoryName, artifact: Artifact) -> list[Mapping[str, Any]]:
    """The steps, first to last. Raises NotFound where the registry holds no configuration, RegistryUnavailable."""
    stored = registry.manifest(repository, Digest(artifact.digest))
    manifest = parse(stored.body, stored.media_type) if stored else None
    if not isinstance(manifest, Manifest):
        raise NotFound(f"{repository}@{artifact.digest} has no build history")
    config = registry.blob(repository, manifest.config.digest, limit=CONFIG_LIMIT)
    if config is None:
        raise NotFound(f"the configuration of {repository}@{artifact.digest} is not in the registry")
    return list(parse_image_config(config).history)
