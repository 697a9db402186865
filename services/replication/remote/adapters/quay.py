"""Quay: with an OAuth token (as the account `$oauthtoken`) by its API too, as a robot account by the registry alone.

Documentation: https://docs.redhat.com/en/documentation/red_hat_quay/3/html/red_hat_quay_api_reference/
(repository, tag).
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.api import PAGE, Api, entries, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from shared.names import TagName
from shared.outbound import Guard

OAUTH: Final = "$oauthtoken"


class QuayEnd(RegistryEnd):
    """Takes off tags by the API."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        self.api.delete(f"/repository/{repository}/tag/{tag}", f"the deletion of {repository}:{tag}")


class QuayCatalogue(GenericCatalogue):
    """`Catalogue` by the API, of the namespace that is asked for; of all of them the registry's catalog tells."""

    def __init__(self, end: QuayEnd) -> None:
        super().__init__(end)
        self._api = end.api

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        if "/" not in prefix:
            yield from super().repositories(prefix)
            return
        namespace = prefix.partition("/")[0]
        query = {"namespace": namespace}
        while True:
            page = _object(self._api.get(f"/repository?{urlencode(query)}", f"the list of repositories of {namespace}"))
            for each in entries(page.get("repositories")):
                name = f"{namespace}/{wanted_text(each.get('name'))}"
                if name.startswith(prefix):
                    yield name
            following = wanted_text(page.get("next_page"))
            if not following:
                return
            query["next_page"] = following

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says."""
        number, more = 0, True
        while more:
            number += 1
            query = urlencode({"onlyActiveTags": "true", "limit": PAGE, "page": number})
            answer = self._api.ask("GET", f"/repository/{repository}/tag/?{query}")
            if answer.status == HTTPStatus.NOT_FOUND:
                return
            if answer.status != HTTPStatus.OK:
                raise self._api.refused(f"the list of tags of {repository}", answer)
            page = _object(answer.json())
            for each in entries(page.get("tags")):
                digest = wanted_text(each.get("manifest_digest")) or None
                yield Found(repository=repository, tags=(wanted_text(each.get("name")),), digest=digest)
            more = page.get("has_additional") is True

    def prepare(self, repository: str, *, public: bool) -> None:
        """As `Catalogue` says: a first push would make it as well, and private."""
        namespace, _, name = repository.partition("/")
        there = self._api.ask("GET", f"/repository/{repository}?includeTags=false")
        if there.status == HTTPStatus.OK:
            return
        wanted = {
            "repo_kind": "image", "namespace": namespace, "repository": name, "description": "",
            "visibility": "public" if public else "private",
        }  # fmt: skip
        answer = self._api.ask("POST", "/repository", content=wanted)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.CREATED}:
            raise self._api.refused(f"the creation of {repository}", answer)


def connect(access: Access, guard: Guard) -> Catalogue:
    """Quay, as a robot account or with an OAuth token."""
    channel, secret = opened(access, guard), access.access_secret
    if access.access_key != OAUTH or secret is None:
        return GenericCatalogue(RegistryEnd(channel, place=place(access.url)))
    api = Api(
        channel.wire, f"{channel.url}/api/v1", lambda: {"Authorization": f"Bearer {secret.reveal()}"}, channel.masked
    )
    return QuayCatalogue(QuayEnd(channel, api, place=place(access.url)))


def _object(content: object) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise AttemptFailed(Fault.SERVER_ERROR, "the answer is not of the form that is documented")
    return content
