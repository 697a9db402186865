"""GitHub's container registry: it lists and deletes nothing itself; GitHub's API does, on a host that is named here.

Documentation: GitHub Docs, "REST API endpoints for packages" (https://docs.github.com/en/rest/packages/packages: the
packages and their versions: one a manifest, named by its digest, its tags in the metadata), "Deleting and restoring a
package". A tag cannot be taken off alone; neither the last version with a tag is deleted, nor a public one of more than
5,000 downloads.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.api import Api, segment, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from shared.names import Digest, TagName
from shared.outbound import Guard

API: Final = "https://api.github.com"
VERSION: Final = "2022-11-28"
_OWNERS: Final = ("orgs", "users")


class GithubEnd(RegistryEnd):
    """Deletes by the API."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says; refused where the tag is there."""
        if tag.text in self.tags(repository):
            raise AttemptFailed(Fault.REFUSED, f"GitHub cannot delete the tag {tag} of {repository} alone")

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says."""
        owner, path = self.package(repository)
        for each in versions(self.api, path, repository) if owner else ():
            if each.get("name") == digest.text:
                self.api.delete(f"{path}/versions/{each.get('id')}", f"the deletion of {repository}@{digest}")
                return

    def package(self, repository: str) -> tuple[str, str]:
        """Whether an organisation or a user owns a package, and its path; nothing where there is none."""
        owner, _, name = repository.partition("/")
        for kind in _OWNERS:
            path = f"/{kind}/{segment(owner)}/packages/container/{segment(name)}"
            answer = self.api.ask("GET", path)
            if answer.status == HTTPStatus.OK:
                return kind, path
            if answer.status != HTTPStatus.NOT_FOUND:
                raise self.api.refused(f"the package {repository}", answer)
        return "", ""


class GithubCatalogue(GenericCatalogue):
    """`Catalogue` of one owner's packages: the owner that is asked for, or else the account."""

    def __init__(self, end: GithubEnd, account: str) -> None:
        super().__init__(end)
        self._end = end
        self._account = account

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        owner = prefix.partition("/")[0] if "/" in prefix else self._account.lower()
        what = f"the list of packages of {owner}"
        for kind in _OWNERS:
            path = f"/{kind}/{segment(owner)}/packages?package_type=container"
            try:
                for each in self._end.api.pages(path, what, size="per_page"):
                    name = f"{owner}/{wanted_text(each.get('name'))}"
                    if name.startswith(prefix):
                        yield name
            except AttemptFailed as failure:
                if failure.fault is not Fault.NOT_FOUND:
                    raise
            else:
                return

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says."""
        owner, path = self._end.package(repository)
        for each in versions(self._end.api, path, repository) if owner else ():
            metadata = each.get("metadata")
            container = metadata.get("container") if isinstance(metadata, dict) else None
            tags = container.get("tags") if isinstance(container, dict) else None
            yield Found(
                repository=repository,
                tags=tuple(filter(None, map(wanted_text, tags or ()))),
                digest=wanted_text(each.get("name")) or None,
            )


def connect(access: Access, guard: Guard, *, api: str = API) -> Catalogue:
    """GitHub, as an account with a personal access token."""
    channel = opened(access, guard)
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
    secret = access.access_secret
    packages = Api(
        channel.wire, api,
        lambda: headers | ({"Authorization": f"Bearer {secret.reveal()}"} if secret else {}), channel.masked,
    )  # fmt: skip
    return GithubCatalogue(GithubEnd(channel, packages, place=place(access.url)), access.access_key)


def versions(api: Api, path: str, repository: str) -> Iterator[dict[str, Any]]:
    """The versions of a package."""
    return api.pages(f"{path}/versions", f"the list of versions of {repository}", size="per_page")
