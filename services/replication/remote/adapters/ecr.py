"""Amazon Elastic Container Registry: its API, on a host that the registry's name tells, gives the password and lists.

Documentation: "Amazon ECR API Reference" (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/:
GetAuthorizationToken, good for 12 hours, DescribeRepositories, ListImages, CreateRepository, BatchDeleteImage). A
repository has to be made before a push; by a tag only the tag is taken off, and the image with its last one; by its
digest an image goes with all its tags, unless an index needs it (ImageReferencedByManifestList).
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.opening import place
from services.replication.remote.adapters.sigv4 import Signer
from services.replication.remote.answers import LIST_LIMIT, USER_AGENT, read
from services.replication.remote.api import entries, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from services.replication.remote.faults import printable, refusal
from services.replication.remote.once import Once
from services.replication.remote.transport import Pools, Wire
from shared.names import Digest, TagName
from shared.outbound import Guard
from shared.secrets import Secret

_HOST: Final = re.compile(r"[0-9]{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?P<china>\.cn)?")
_TARGET: Final = "AmazonEC2ContainerRegistry_V20150921"
_PAGE: Final = 1_000
_MARGIN_SECONDS: Final = 900.0
_FAULTS: Final[Mapping[str, Fault]] = {
    "AccessDeniedException": Fault.DENIED,
    "ExpiredTokenException": Fault.DENIED,
    "IncompleteSignatureException": Fault.DENIED,
    "InvalidSignatureException": Fault.DENIED,
    "MissingAuthenticationTokenException": Fault.DENIED,
    "UnrecognizedClientException": Fault.DENIED,
    "ThrottlingException": Fault.OVERLOADED,
    "RepositoryNotFoundException": Fault.NOT_FOUND,
}
"""Of what the API answers with 400; any other is REFUSED."""
_EXISTS: Final = "RepositoryAlreadyExistsException"
_NOT_THERE: Final = "ImageNotFound"


class _Named(AttemptFailed):
    """A failure with the name that the API gives it."""

    name = ""


class EcrApi:
    """The API, each request signed."""

    def __init__(self, wire: Wire, url: str, signer: Signer) -> None:
        self._wire = wire
        self._url = url
        self._signer = signer

    def call(self, action: str, **fields: object) -> dict[str, Any]:
        """One action. Raises AttemptFailed."""
        body = json.dumps(fields).encode()
        headers = {
            "Host": urlsplit(self._url).netloc,
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{_TARGET}.{action}",
        }
        signed = self._signer.headers("POST", "/", "", headers, body, now=datetime.now(UTC))
        url = f"{self._url}/"
        answer = read(self._wire.send("POST", url, {"User-Agent": USER_AGENT, **signed}, body), url, LIST_LIMIT)
        if answer.status == HTTPStatus.BAD_REQUEST:
            raise _named(action, answer.json())
        if answer.status != HTTPStatus.OK:
            raise refusal(action, answer.status, answer.headers, answer.body)
        content = answer.json()
        if not isinstance(content, dict):
            raise AttemptFailed(Fault.SERVER_ERROR, f"{action} was not answered in the form that is documented")
        return content

    def pages(self, action: str, field: str, **fields: object) -> Iterator[dict[str, Any]]:
        """The entries of a list."""
        asked: dict[str, object] = {**fields, "maxResults": _PAGE}
        while True:
            page = self.call(action, **asked)
            yield from entries(page.get(field))
            following = wanted_text(page.get("nextToken"))
            if not following:
                return
            asked["nextToken"] = following


class EcrAuth:
    """`Auth` by the password that the API gives, kept until near its end."""

    def __init__(self, api: EcrApi) -> None:
        self._api = api
        self._password: Once[Secret] = Once()

    def authorization(self, scope: str) -> str | None:  # noqa: ARG002 - one password for all
        """As `Auth` says."""
        return self._password.get(self._fetch).reveal()

    def challenged(self, scope: str, used: str | None, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - as Auth
        """As `Auth` says."""
        if used is not None:
            self._password.forget(Secret(used))
        return True

    def masked(self, text: str) -> str:
        """As `Auth` says: what is sent is a password of hours, which no answer repeats."""
        return text

    def _fetch(self) -> tuple[Secret, float]:
        data = entries(self._api.call("GetAuthorizationToken").get("authorizationData"))
        token = wanted_text(data[0].get("authorizationToken")) if data else ""
        if not token:
            raise AttemptFailed(Fault.SERVER_ERROR, "GetAuthorizationToken gave no token")
        ends = data[0].get("expiresAt")
        left = float(ends) - time.time() if isinstance(ends, int | float) else _MARGIN_SECONDS * 2
        return Secret(f"Basic {token}"), max(left - _MARGIN_SECONDS, left / 2)


class EcrEnd(RegistryEnd):
    """Deletes by the API."""

    def __init__(self, channel: Channel, api: EcrApi, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        self._delete(repository, imageTag=tag.text)

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says."""
        self._delete(repository, imageDigest=digest.text)

    def _delete(self, repository: str, **image: str) -> None:
        try:
            answer = self.api.call("BatchDeleteImage", repositoryName=repository, imageIds=[image])
        except AttemptFailed as failure:
            if failure.fault is Fault.NOT_FOUND:
                return
            raise
        for each in entries(answer.get("failures") or []):
            if each.get("failureCode") != _NOT_THERE:
                why = printable(wanted_text(each.get("failureReason")))
                raise AttemptFailed(Fault.REFUSED, f"an image of {repository} was not deleted: {why}")


class EcrCatalogue(GenericCatalogue):
    """`Catalogue` by the API."""

    def __init__(self, end: EcrEnd) -> None:
        super().__init__(end)
        self._api = end.api

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        for each in self._api.pages("DescribeRepositories", "repositories"):
            name = wanted_text(each.get("repositoryName"))
            if name.startswith(prefix):
                yield name

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says: the list has an entry a tag."""
        tags: dict[str, list[str]] = {}
        try:
            for each in self._api.pages("ListImages", "imageIds", repositoryName=repository):
                found = tags.setdefault(wanted_text(each.get("imageDigest")), [])
                found += filter(None, [wanted_text(each.get("imageTag"))])
        except AttemptFailed as failure:
            if failure.fault is not Fault.NOT_FOUND:
                raise
        for digest, names in tags.items():
            yield Found(repository=repository, tags=tuple(names), digest=digest)

    def prepare(self, repository: str, *, public: bool) -> None:  # noqa: ARG002 - none of them is public
        """As `Catalogue` says."""
        try:
            self._api.call("CreateRepository", repositoryName=repository)
        except _Named as failure:
            if failure.name != _EXISTS:
                raise


def connect(access: Access, guard: Guard, *, api: str | None = None, region: str | None = None) -> Catalogue:
    """A private registry of Amazon's. Raises AttemptFailed where its host tells no region, or there is no key."""
    found = _HOST.fullmatch(urlsplit(access.url).hostname or "")
    if found is not None:
        region = found["region"]
        api = f"https://api.ecr.{region}.amazonaws.com{found['china'] or ''}"
    if api is None or region is None:
        raise AttemptFailed(Fault.REFUSED, "the registry's host is not ACCOUNT.dkr.ecr.REGION.amazonaws.com")
    if access.access_secret is None:
        raise AttemptFailed(Fault.DENIED, "Amazon's registry needs an access key and its secret")
    pools = Pools(access, guard)
    signer = Signer(key_id=access.access_key, secret=access.access_secret, region=region, service="ecr")
    actions = EcrApi(pools, api, signer)
    return EcrCatalogue(EcrEnd(Channel(access.url, pools, EcrAuth(actions)), actions, place=place(access.url)))


def _named(action: str, content: object) -> _Named:
    told = content if isinstance(content, dict) else {}
    name = wanted_text(told.get("__type")).rpartition("#")[2]
    message = printable(wanted_text(told.get("message")) or wanted_text(told.get("Message")))
    failure = _Named(_FAULTS.get(name, Fault.REFUSED), f"{action} was answered with {printable(name)}: {message}")
    failure.name = name
    return failure
