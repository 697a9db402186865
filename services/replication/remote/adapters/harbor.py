"""Harbor, and Breakwater itself: the API v2.0 lists, makes projects and deletes; blobs and manifests go as everywhere.

Documentation: Harbor's swagger of the API v2.0.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final

from services.replication.domain.policy import ResourceKind
from services.replication.domain.registry import Access
from services.replication.domain.retention import Placed, Retention
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found, Label
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters import harbor_retention
from services.replication.remote.adapters.generic import GenericCatalogue, not_listed
from services.replication.remote.adapters.harbor_labels import attach
from services.replication.remote.adapters.opening import place
from services.replication.remote.answers import basic
from services.replication.remote.api import Api, segment, wanted_text
from services.replication.remote.auth import Login
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from services.replication.remote.transport import Pools, Wire
from shared.names import Digest, TagName
from shared.outbound import Guard

IMAGE: Final = "IMAGE"
_MADE: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.CONFLICT})
_BY_NAME: Final = {"X-Is-Resource-Name": "true"}
"""A project's name may look like a number."""


class HarborEnd(RegistryEnd):
    """Deletes by the API: the registry behind it would take a digest's other tags along, or refuses."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self._api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        path = f"{artifacts_path(repository)}/{tag}/tags/{tag}"
        self._api.delete(path, f"the deletion of {repository}:{tag}")

    def delete_manifest(self, repository: str, digest: Digest) -> None:
        """As `End` says."""
        self._api.delete(f"{artifacts_path(repository)}/{digest}", f"the deletion of {repository}@{digest}")


class HarborCatalogue(GenericCatalogue):
    """`Catalogue` by the API v2.0, as an account or a robot account."""

    def __init__(self, end: RegistryEnd, api: Api) -> None:
        super().__init__(end)
        self._api = api

    def check(self) -> None:
        """As `Catalogue` says: it has to be a Harbor, and to take the credential at both of its doors."""
        info = self._api.get("/systeminfo", "the system's information")
        if not isinstance(info, dict) or "auth_mode" not in info:
            raise AttemptFailed(Fault.REFUSED, "this is no Harbor: it tells nothing of its system")
        super().check()

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says: of the projects that the account sees."""
        for project in self._projects(prefix):
            try:
                for each in self._api.pages(
                    f"/projects/{segment(project)}/repositories", f"the list of repositories of {project}"
                ):
                    name = wanted_text(each.get("name"))
                    if name.startswith(prefix):
                        yield name
            except AttemptFailed as failure:
                # it has been deleted since, or is listed without being open
                if failure.fault not in {Fault.NOT_FOUND, Fault.DENIED} or "/" in prefix:
                    raise

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says; what refers to an artifact is not listed, and travels with it."""
        path = f"{artifacts_path(repository)}?with_tag=true&with_label=true"
        try:
            for each in self._api.pages(path, f"the list of artifacts of {repository}"):
                yield _found(repository, each)
        except AttemptFailed as failure:
            if failure.fault is not Fault.NOT_FOUND:
                raise

    def prepare(self, repository: str, *, public: bool) -> None:
        """As `Catalogue` says."""
        project, _ = _parts(repository)
        if self._api.ask("HEAD", f"/projects?project_name={segment(project)}").status == HTTPStatus.OK:
            return
        wanted = {"project_name": project, "metadata": {"public": "true" if public else "false"}}
        answer = self._api.ask("POST", "/projects", content=wanted)
        if answer.status not in _MADE:
            raise self._api.refused(f"the creation of the project {project}", answer)

    def label(self, repository: str, digest: Digest, labels: Sequence[Label]) -> list[str]:
        """As `Catalogue` says."""
        path = f"{artifacts_path(repository)}/{digest}"
        return attach(self._api, path, f"{repository}@{digest}", labels)

    def retention(self, project: str) -> Placed:
        """As `Catalogue` says."""
        return harbor_retention.look(self._api, project)

    def put_retention(self, project: str, there: Placed, wanted: Retention) -> int:
        """As `Catalogue` says."""
        return harbor_retention.put(self._api, project, there, wanted)

    def _projects(self, prefix: str) -> Iterator[str]:
        if "/" in prefix:
            yield prefix.partition("/")[0]
            return
        try:
            for each in self._api.pages("/projects", "the list of projects"):
                name = wanted_text(each.get("name"))
                if f"{name}/".startswith(prefix):
                    yield name
        except AttemptFailed as failure:
            if failure.fault is Fault.DENIED:
                raise not_listed() from failure
            raise


def connect(access: Access, guard: Guard) -> Catalogue:
    """A Harbor."""
    return over(access, Pools(access, guard))


def over(access: Access, wire: Wire) -> HarborCatalogue:
    """A Harbor, by this way."""
    login = Login(wire, access.url, access.access_key, access.access_secret)
    channel = Channel(access.url, wire, login)
    sign_in = basic(access.access_key, access.access_secret) if access.access_secret else None
    headers = _BY_NAME | ({"Authorization": sign_in.reveal()} if sign_in else {})
    api = Api(wire, f"{channel.url}/api/v2.0", lambda: headers, login.masked)
    return HarborCatalogue(HarborEnd(channel, api, place=place(access.url)), api)


def artifacts_path(repository: str) -> str:
    """Of a repository's artifacts; the slashes in its name are escaped twice, as Harbor asks for."""
    project, rest = _parts(repository)
    return f"/projects/{segment(project)}/repositories/{segment(segment(rest))}/artifacts"


def _parts(repository: str) -> tuple[str, str]:
    project, _, rest = repository.partition("/")
    if not rest:
        raise AttemptFailed(Fault.REFUSED, f"{repository} is in no project: Harbor knows none without")
    return project, rest


def _found(repository: str, artifact: dict[str, Any]) -> Found:
    tags = [wanted_text(each.get("name")) for each in artifact.get("tags") or () if isinstance(each, dict)]
    labels = [wanted_text(each.get("name")) for each in artifact.get("labels") or () if isinstance(each, dict)]
    kind = ResourceKind.IMAGE if artifact.get("type") == IMAGE else ResourceKind.ARTIFACT
    return Found(
        repository=repository,
        tags=tuple(filter(None, tags)),
        digest=wanted_text(artifact.get("digest")) or None,
        kind=kind,
        labels=tuple(filter(None, labels)),
    )
