"""The one table from a kind of registry to what speaks with it."""

from collections.abc import Callable, Mapping
from typing import Final

from services.replication.domain.registry import Access, RegistryKind
from services.replication.ends import Catalogue
from services.replication.errors import UnfitRegistry
from services.replication.remote.adapters import (
    artifactory,
    azure,
    docker_hub,
    ecr,
    generic,
    github,
    gitlab,
    google,
    harbor,
    quay,
)
from shared.outbound import Guard

Connect = Callable[[Access, Guard], Catalogue]


def connect(access: Access, guard: Guard) -> Catalogue:
    """What speaks with this registry. It holds the connections and tokens: keep it while it is worked with.

    Nothing is sent yet. Raises UnfitRegistry, AttemptFailed.
    """
    found = KINDS.get(access.kind)
    if found is None:
        raise UnfitRegistry(f"registries of the kind {access.kind} are not known here")
    return found(access, guard)


KINDS: Final[Mapping[RegistryKind, Connect]] = {
    RegistryKind.HARBOR: harbor.connect,
    RegistryKind.DOCKER_REGISTRY: generic.connect,
    RegistryKind.DOCKER_HUB: docker_hub.connect,
    RegistryKind.GITHUB: github.connect,
    RegistryKind.GITLAB: gitlab.connect,
    RegistryKind.QUAY: quay.connect,
    RegistryKind.ECR: ecr.connect,
    RegistryKind.ACR: azure.connect,
    RegistryKind.GAR: google.connect,
    RegistryKind.ARTIFACTORY: artifactory.connect,
}
