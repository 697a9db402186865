"""Artifacts, their tags and children as records, and what kind of thing a manifest is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.api.domain.accessory import Accessory
from services.api.domain.label import Label
from shared.registry.manifests import IMAGE_CONFIG_TYPES, OCI_EMPTY, Index, Manifest, Stored

IMAGE: Final = "IMAGE"
UNKNOWN: Final = "UNKNOWN"

_CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_WASM_CONFIG = "application/vnd.wasm.config.v1+json"
_WASM_VARIANT = "module.wasm.image/variant"
_CNAB_VERSION = "io.cnab.runtime_version"
# Harbor's rule for what it has no name for: application/vnd.<organisation>.<type>.config.<version>
_CONFIG_TYPE = re.compile(r"application/vnd\.[^.]*\.(.*)\.config\.[^.]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tag:
    """A name of an artifact."""

    id: int
    repository_id: int
    artifact_id: int
    name: str
    pushed_at: datetime
    pulled_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """What an index refers to; `child_id` is None where the registry does not hold it."""

    parent_id: int
    child_id: int | None
    child_digest: str
    platform: Mapping[str, Any]
    annotations: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One manifest of a repository, as the catalogue knows it."""

    id: int
    project_id: int
    repository_id: int
    repository_name: str
    digest: str
    type: str
    media_type: str
    manifest_media_type: str
    artifact_type: str
    size: int
    annotations: Mapping[str, str]
    extra_attrs: Mapping[str, Any]
    pushed_at: datetime
    pulled_at: datetime | None
    pull_count: int
    tags: tuple[Tag, ...] = ()
    references: tuple[Child, ...] = field(default=())
    labels: tuple[Label, ...] | None = None
    """None where they were not read."""
    accessories: tuple[Accessory, ...] | None = None
    """The same."""


def media_type_of(manifest: Stored) -> str:
    """The type of an artifact's content: of its configuration, or what the manifest itself declares."""
    if isinstance(manifest, Index):
        return manifest.artifact_type or manifest.media_type
    if manifest.config.media_type == OCI_EMPTY:
        return manifest.artifact_type or OCI_EMPTY
    return manifest.config.media_type


def type_of(manifest: Stored) -> str:
    """IMAGE, CHART, CNAB, WASM, or a word from the media type; the rules are Harbor's."""
    if isinstance(manifest, Index):
        return "CNAB" if _CNAB_VERSION in manifest.annotations else IMAGE
    media_type = media_type_of(manifest)
    if media_type == _WASM_CONFIG or (is_image(manifest) and _WASM_VARIANT in manifest.annotations):
        return "WASM"
    if is_image(manifest):
        return IMAGE
    if media_type == _CHART_CONFIG:
        return "CHART"
    named = _CONFIG_TYPE.fullmatch(media_type)
    return named.group(1).upper() if named else UNKNOWN


def is_image(manifest: Manifest) -> bool:
    """Whether its configuration is an image's."""
    return manifest.config.media_type in IMAGE_CONFIG_TYPES
