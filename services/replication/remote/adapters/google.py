"""Google Artifact Registry, and Container Registry before it: the key of a service account as a password.

Documentation: Google Cloud, "Configure authentication to Artifact Registry for Docker" (`_json_key`,
`oauth2accesstoken`), "Support for the Docker Registry API", which refers to gcrane: as that does (go-containerregistry,
pkg/v1/google), the list of tags is asked for whole, and tells each manifest, under "manifest". One that has tags is not
deleted (GOOGLE_MANIFEST_DANGLING_TAG): they go first. Neither is one that an index or a referrer needs.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.answers import LIST_LIMIT
from services.replication.remote.api import wanted_text
from services.replication.remote.client import RegistryEnd, pull
from shared.names import Digest, TagName
from shared.outbound import Guard

JSON_KEY: Final = "_json_key"
ACCESS_TOKEN: Final = "oauth2accesstoken"  # noqa: S105 - an account's name
NAMES: Final = frozenset({JSON_KEY, "_json_key_base64", ACCESS_TOKEN})


class GoogleEnd(RegistryEnd):
    """Deletes the tags of a manifest before it."""

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says."""
        for found in list(self.listed(repository)):
            if found.digest == digest.text:
                for tag in found.tags:
                    self.delete_tag(repository, TagName.parse(tag))
        super().delete_manifest(repository, digest)

    def listed(self, repository: str) -> Iterator[Found]:
        """The manifests of a repository, tagged or not; none where there is no such repository."""
        scope = pull(repository)
        answer = self.channel.ask("GET", f"/v2/{repository}/tags/list", scope, limit=LIST_LIMIT)
        if answer.status == HTTPStatus.NOT_FOUND:
            return
        for page in self.pages(answer, scope, f"the list of tags of {repository}"):
            content = page.json()
            manifests = content.get("manifest") if isinstance(content, dict) else None
            if not isinstance(manifests, dict):
                raise AttemptFailed(Fault.SERVER_ERROR, "the list of tags tells no manifests, as Google's does")
            for digest, each in manifests.items():
                tags = each.get("tag") if isinstance(each, dict) else None
                names = tuple(filter(None, map(wanted_text, tags or ())))
                yield Found(repository=repository, tags=names, digest=digest)


class GoogleCatalogue(GenericCatalogue):
    """`Catalogue` by the catalog, and by what Google tells with the tags."""

    def __init__(self, end: GoogleEnd) -> None:
        super().__init__(end)
        self._end = end

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says."""
        yield from self._end.listed(repository)


def connect(access: Access, guard: Guard) -> Catalogue:
    """A registry of Google: without an account's name the secret is a service account's key."""
    name = access.access_key or JSON_KEY
    if name not in NAMES:
        raise AttemptFailed(Fault.DENIED, f"Google knows the accounts {', '.join(sorted(NAMES))}, and no {name[:80]!r}")
    return GoogleCatalogue(GoogleEnd(opened(access, guard, name=name), place=place(access.url)))
