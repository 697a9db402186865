"""JFrog Artifactory: each of its Docker repositories is the first component of a name (the repository path method).

Documentation: "JFrog REST APIs" (https://jfrog.com/help/r/jfrog-rest-apis: Get Repositories, List Docker Repositories,
whose next page begins after the last name of this one, Create Repository, Delete Item) and "Deletion and Cleanup of
Docker Tags and Repositories" of "JFrog Artifactory Documentation". A tag is a folder, and is deleted as such: alone.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue, not_listed
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.answers import basic
from services.replication.remote.api import PAGE, Api, entries, segment, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from shared.names import Digest, TagName
from shared.outbound import Guard

_ABSENT: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
"""Artifactory answers 400 for a repository that it does not know."""


class ArtifactoryEnd(RegistryEnd):
    """Deletes items."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        self._delete(repository, tag.text)

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says: each tag that stands for it, and what was pushed by its digest."""
        for name in self.tags(repository):
            tag = TagName.parse(name)
            if self.resolve(repository, tag) == digest:
                self.delete_tag(repository, tag)
        self._delete(repository, digest.text)

    def _delete(self, repository: str, folder: str) -> None:
        self.api.delete(f"/{quote(repository)}/{quote(folder, safe=':')}", f"the deletion of {repository}:{folder}")


class ArtifactoryCatalogue(GenericCatalogue):
    """`Catalogue` of all Docker repositories."""

    def __init__(self, end: ArtifactoryEnd) -> None:
        super().__init__(end)
        self._api = end.api

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        for key in self._keys(prefix):
            yield from (name for each in self._images(key) if (name := f"{key}/{each}").startswith(prefix))

    def prepare(self, repository: str, *, public: bool) -> None:  # noqa: ARG002 - who may read is set by permissions
        """As `Catalogue` says."""
        key, _, image = repository.partition("/")
        if not image:
            raise AttemptFailed(Fault.REFUSED, f"{repository} names no image within a repository of Artifactory")
        path = f"/api/repositories/{segment(key)}"
        there = self._api.ask("GET", path)
        if there.status == HTTPStatus.OK:
            return
        if there.status not in _ABSENT:
            raise self._api.refused(f"the repository {key}", there)
        answer = self._api.ask("PUT", path, content={"key": key, "rclass": "local", "packageType": "docker"})
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise self._api.refused(f"the creation of the repository {key}", answer)

    def _keys(self, prefix: str) -> Iterator[str]:
        if "/" in prefix:
            yield prefix.partition("/")[0]
            return
        try:
            for each in entries(self._api.get("/api/repositories?packageType=docker", "the list of repositories")):
                key = wanted_text(each.get("key"))
                if f"{key}/".startswith(prefix):
                    yield key
        except AttemptFailed as failure:
            if failure.fault is Fault.DENIED:
                raise not_listed() from failure
            raise

    def _images(self, key: str) -> Iterator[str]:
        last = ""
        while True:
            query = urlencode({"n": PAGE, **({"last": last} if last else {})})
            content = self._api.get(f"/api/docker/{segment(key)}/v2/_catalog?{query}", f"the list of images of {key}")
            found = content.get("repositories") if isinstance(content, dict) else None
            page = [each for each in found or () if isinstance(each, str)]
            yield from page
            if len(page) < PAGE or page[-1] == last:
                return
            last = page[-1]


def connect(access: Access, guard: Guard) -> Catalogue:
    """An Artifactory, by the URL of its host or of its API."""
    parsed = urlsplit(access.url)
    base = f"{parsed.scheme}://{parsed.netloc}"
    channel = opened(access, guard, url=base)
    sign_in = basic(access.access_key, access.access_secret) if access.access_secret else None
    api = Api(
        channel.wire, f"{base}/artifactory", lambda: {"Authorization": sign_in.reveal()} if sign_in else {},
        channel.masked,
    )  # fmt: skip
    return ArtifactoryCatalogue(ArtifactoryEnd(channel, api, place=place(base)))
