"""Azure Container Registry: tokens on its own host, as a service principal or a token of the registry (by Basic).

Documentation: https://azure.github.io/acr/Token-BasicAuth.html and "Azure Container Registry REST API reference"
(https://learn.microsoft.com/en-us/rest/api/containerregistry/: manifests with their tags; a tag is deleted alone).
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from services.replication.domain.registry import Access
from services.replication.ends import Catalogue, Found
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.answers import LIST_LIMIT
from services.replication.remote.api import PAGE, entries, wanted_text
from services.replication.remote.client import RegistryEnd
from shared.names import TagName
from shared.outbound import Guard

_DELETED: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})


class AzureEnd(RegistryEnd):
    """Takes off tags by Azure's own path."""

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        answer = self.channel.ask("DELETE", f"/acr/v1/{repository}/_tags/{tag}", f"repository:{repository}:delete")
        if answer.status not in _DELETED:
            raise self.channel.refused(f"the deletion of {repository}:{tag}", answer)


class AzureCatalogue(GenericCatalogue):
    """`Catalogue` by the catalog, and by Azure's list of manifests."""

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says."""
        scope = f"repository:{repository}:metadata_read"
        answer = self.end.channel.ask("GET", f"/acr/v1/{repository}/_manifests?n={PAGE}", scope, limit=LIST_LIMIT)
        if answer.status == HTTPStatus.NOT_FOUND:
            return
        for page in self.end.pages(answer, scope, f"the list of manifests of {repository}"):
            content = page.json()
            for each in entries((content.get("manifests") or []) if isinstance(content, dict) else content):
                tags = tuple(filter(None, map(wanted_text, each.get("tags") or ())))
                yield Found(repository=repository, tags=tags, digest=wanted_text(each.get("digest")) or None)


def connect(access: Access, guard: Guard) -> Catalogue:
    """A registry in Azure."""
    return AzureCatalogue(AzureEnd(opened(access, guard), place=place(access.url)))
