"""Other registries: where they are, how they are spoken to, and how they are."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.secrets import Secret


class RegistryKind(StrEnum):
    """Which registry it is; the names are those of Harbor's API."""

    HARBOR = "harbor"
    """Harbor, and Breakwater itself."""
    DOCKER_REGISTRY = "docker-registry"
    """Any registry that follows the OCI distribution specification."""
    DOCKER_HUB = "docker-hub"
    """Docker Hub."""
    GITHUB = "github-ghcr"
    """GitHub's container registry."""
    GITLAB = "gitlab"
    """GitLab's container registry."""
    QUAY = "quay"
    """Quay."""
    ECR = "aws-ecr"
    """Amazon Elastic Container Registry."""
    ACR = "azure-acr"
    """Azure Container Registry."""
    GAR = "google-gcr"
    """Google Artifact Registry, and Container Registry before it."""
    ARTIFACTORY = "jfrog-artifactory"
    """JFrog Artifactory."""


class Health(StrEnum):
    """What the last check of a registry found."""

    UNKNOWN = "unknown"
    """It was not checked yet."""
    HEALTHY = "healthy"
    """It answers, and takes the credential."""
    UNHEALTHY = "unhealthy"
    """It does not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What it takes to speak with a registry; secrets in the clear, in memory alone."""

    kind: RegistryKind
    url: str
    access_key: str = ""
    access_secret: Secret | None = None
    insecure: bool = False
    """Whether its certificate is not verified."""
    ca_certificate: str = ""
    """PEM certificates that are believed beside the system's."""
    proxy: Secret | None = None
    """An HTTP proxy's URL, which may hold a password."""
    concurrency: int = 16
    """How many artifacts are copied to or from it at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """Another registry as it is stored; its secrets stay sealed."""

    id: int
    name: str
    description: str
    kind: RegistryKind
    url: str
    access_key: str
    access_secret: str | None = field(repr=False)
    insecure: bool
    ca_certificate: str
    proxy: str | None = field(repr=False)
    concurrency: int
    status: Health
    reason: str
    checked_at: datetime | None
    created_at: datetime
    updated_at: datetime
