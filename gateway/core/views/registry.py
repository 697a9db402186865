"""Other registries as the API shows them, and what kinds there are."""

from typing import Final

from gateway.core.writing import Json, given, time_or_never
from services.replication.domain.policy import FilterKind, ResourceKind, Trigger
from services.replication.domain.registry import Registry, RegistryKind
from services.replication.domain.wanted_policy import knows_labels
from services.replication.domain.wanted_registry import MASK

LOCAL: Final[Json] = {"id": 0, "name": "Local", "type": RegistryKind.HARBOR.value, "status": "healthy"}
"""This registry, where Harbor's API speaks of it as of the others."""

_CHUNKED: Final = frozenset({None, RegistryKind.HARBOR, RegistryKind.DOCKER_REGISTRY})
_STANDARD: Final = "EndpointPatternTypeStandard"
_FIXED: Final = "EndpointPatternTypeFix"
_LISTED: Final = "EndpointPatternTypeList"
_ENDPOINTS: Final[dict[RegistryKind, tuple[str, tuple[tuple[str, str], ...]]]] = {
    RegistryKind.DOCKER_HUB: (_FIXED, (("hub.docker.com", "https://hub.docker.com"),)),
    RegistryKind.GITHUB: (_FIXED, (("ghcr.io", "https://ghcr.io"),)),
    RegistryKind.GAR: (
        _LISTED,
        tuple((host, f"https://{host}") for host in ("gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io")),
    ),
}
_CREDENTIALS: Final[dict[RegistryKind, Json]] = {
    RegistryKind.GAR: {
        "access_key_type": "AccessKeyTypeFix",
        "access_key_data": "_json_key",
        "access_secret_type": "AccessSecretTypeFile",
        "access_secret_data": "No Change",
    }
}
_PLAIN_CREDENTIAL: Final[Json] = {
    "access_key_type": "AccessKeyTypeStandard",
    "access_key_data": "",
    "access_secret_type": "AccessSecretTypeStandard",
    "access_secret_data": "",
}


def registry_view(registry: Registry) -> Json:
    """A registry; of its secrets it is only told that there are some."""
    credential = given(
        type="basic", access_key=registry.access_key or None, access_secret=MASK if registry.access_secret else None
    )
    return {
        "id": registry.id,
        "name": registry.name,
        "description": registry.description,
        "type": registry.kind.value,
        "url": registry.url,
        "insecure": registry.insecure,
        "status": registry.status.value,
        "concurrency": registry.concurrency,
        "creation_time": time_or_never(registry.created_at),
        "update_time": time_or_never(registry.updated_at),
    } | given(
        credential=credential if len(credential) > 1 else None,
        ca_certificate=registry.ca_certificate or None,
        proxy=MASK if registry.proxy else None,
        status_text=registry.reason or None,
        check_time=time_or_never(registry.checked_at) if registry.checked_at else None,
    )


def info_view(kind: RegistryKind | None) -> Json:
    """What can be asked of a kind of registry; None is this one."""
    filters: list[Json] = [
        {"type": FilterKind.NAME.value, "style": "input"},
        {"type": FilterKind.TAG.value, "style": "input"},
        {"type": FilterKind.RESOURCE.value, "style": "radio", "values": [each.value for each in ResourceKind]},
    ]
    if kind is None or knows_labels(kind):
        filters.append({"type": FilterKind.LABEL.value, "style": "list"})
    triggers = [each.value for each in Trigger if kind is None or each is not Trigger.EVENT_BASED]
    return {
        "type": (kind or RegistryKind.HARBOR).value,
        "description": "",
        "supported_resource_filters": filters,
        "supported_triggers": triggers,
        "supported_copy_by_chunk": kind in _CHUNKED,
    }


def adapters_view() -> list[str]:
    """The kinds of registries."""
    return [each.value for each in RegistryKind]


def adapter_infos_view() -> Json:
    """Where each kind is found, and what it is told."""
    return {kind.value: _adapter_info(kind) for kind in RegistryKind}


def _adapter_info(kind: RegistryKind) -> Json:
    style, endpoints = _ENDPOINTS.get(kind, (_STANDARD, ()))
    return {
        "endpoint_pattern": {
            "endpoint_type": style,
            "endpoints": [{"key": key, "value": value} for key, value in endpoints],
        },
        "credential_pattern": _CREDENTIALS.get(kind, _PLAIN_CREDENTIAL),
    }
