"""Docker Hub: the registry, its token host and the API that lists and deletes are three hosts, each named here.

Documentation: https://docs.docker.com/reference/api/hub/latest/ (sign-in, repositories, tags). A tag is deleted by
`DELETE /v2/repositories/…/tags/…`, as Docker's own hub-tool does it; a manifest is deleted with its last tag.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.api import PAGE, Api, segment, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from services.replication.remote.once import Once
from shared.names import Digest, TagName
from shared.outbound import Guard

REGISTRY: Final = "https://registry-1.docker.io"
API: Final = "https://hub.docker.com"
TOKEN_HOST: Final = "auth.docker.io"  # noqa: S105 - a host's name
_SIGNED_IN_SECONDS: Final = 300.0


class HubEnd(RegistryEnd):
    """Deletes by the API: the registry itself deletes nothing."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        namespace, name = split(repository)
        path = f"/v2/repositories/{segment(namespace)}/{segment(name)}/tags/{tag}/"
        self.api.delete(path, f"the deletion of {repository}:{tag}")

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says: by its tags."""
        # whole before the first is deleted, or the pages would move
        for found in list(listed(self.api, repository)):
            if found.digest == digest.text:
                self.delete_tag(repository, TagName.parse(found.tags[0]))


class HubCatalogue(GenericCatalogue):
    """`Catalogue` of a namespace: the one that is asked for, or else the account's own."""

    def __init__(self, end: HubEnd, account: str) -> None:
        super().__init__(end)
        self._api = end.api
        self._account = account

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        namespace = prefix.partition("/")[0] if "/" in prefix else self._account
        if not namespace:
            raise AttemptFailed(Fault.REFUSED, "Docker Hub lists one namespace: name it in the filter")
        path = f"/v2/namespaces/{segment(namespace)}/repositories"
        for each in _results(self._api, path, f"the list of repositories of {namespace}"):
            name = f"{namespace}/{wanted_text(each.get('name'))}"
            if name.startswith(prefix):
                yield name

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says; the API's lists do not count as pulls."""
        yield from listed(self._api, repository)

    def prepare(self, repository: str, *, public: bool) -> None:  # noqa: ARG002 - the account's default holds
        """As `Catalogue` says: a repository is made by the first push to it."""
        split(repository)


def connect(
    access: Access, guard: Guard, *, registry: str = REGISTRY, api: str = API, token_host: str = TOKEN_HOST
) -> Catalogue:
    """Docker Hub."""
    channel = opened(access, guard, url=registry, token_hosts=frozenset({token_host}))
    signed_in: Once[str] = Once()
    anonymous = Api(channel.wire, api, dict, channel.masked)

    def headers() -> Mapping[str, str]:
        if access.access_secret is None:
            return {}
        return {"Authorization": f"Bearer {signed_in.get(lambda: _sign_in(anonymous, access))}"}

    hub = Api(channel.wire, api, headers, channel.masked)
    return HubCatalogue(HubEnd(channel, hub, place=place(registry)), access.access_key)


def _sign_in(api: Api, access: Access) -> tuple[str, float]:
    secret = access.access_secret.reveal() if access.access_secret else ""
    answer = api.ask("POST", "/v2/auth/token", content={"identifier": access.access_key, "secret": secret})
    if answer.status != HTTPStatus.OK:
        raise api.refused("the sign-in at Docker Hub", answer)
    content = answer.json()
    token = wanted_text(content.get("access_token")) if isinstance(content, dict) else ""
    if not token:
        raise AttemptFailed(Fault.SERVER_ERROR, "Docker Hub gave no token")
    return token, _SIGNED_IN_SECONDS


def listed(api: Api, repository: str) -> Iterator[Found]:
    """The tags of a repository, each with its digest; none where there is no such repository."""
    namespace, name = split(repository)
    path = f"/v2/namespaces/{segment(namespace)}/repositories/{segment(name)}/tags"
    try:
        for each in _results(api, path, f"the list of tags of {repository}"):
            tag = wanted_text(each.get("name"))
            yield Found(repository=repository, tags=(tag,), digest=wanted_text(each.get("digest")) or None)
    except AttemptFailed as failure:
        if failure.fault is not Fault.NOT_FOUND:
            raise


def split(repository: str) -> tuple[str, str]:
    """Namespace and name. Raises AttemptFailed."""
    namespace, _, name = repository.partition("/")
    if not name or "/" in name:
        raise AttemptFailed(Fault.REFUSED, f"{repository} is not of the form namespace/name, as Docker Hub wants it")
    return namespace, name


def _results(api: Api, path: str, what: str) -> Iterator[dict[str, Any]]:
    number = 1
    while True:
        content = api.get(f"{path}?page={number}&page_size={PAGE}", what)
        results = content.get("results") if isinstance(content, dict) else None
        if not isinstance(results, list):
            raise AttemptFailed(Fault.SERVER_ERROR, f"{what} is not of the form that is documented")
        yield from (each for each in results if isinstance(each, dict))
        if not content.get("next") or not results:
            return
        number += 1
