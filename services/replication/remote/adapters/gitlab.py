"""GitLab's container registry: GitLab itself gives the tokens, lists and deletes, on a host of its own.

Documentation: https://docs.gitlab.com/api/container_registry/ (repositories of a project, deletion of a tag) and
https://docs.gitlab.com/api/projects/. Of `registry.HOST` the GitLab is HOST, of any other registry its own host.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from services.replication.domain.registry import Access
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.generic import GenericCatalogue, not_listed
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.api import Api, segment, wanted_text
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from shared.names import TagName
from shared.outbound import Guard

_REGISTRY: Final = "registry."
_LEAST_COMPONENTS: Final = 2


class GitlabEnd(RegistryEnd):
    """Takes off tags by the API."""

    def __init__(self, channel: Channel, api: Api, *, place: str) -> None:
        super().__init__(channel, place=place)
        self.api = api

    def delete_tag(self, repository: str, tag: TagName) -> None:
        """As `End` says."""
        path = self._repository(repository)
        if path:
            self.api.delete(f"{path}/tags/{segment(tag.text)}", f"the deletion of {repository}:{tag}")

    def _repository(self, repository: str) -> str | None:
        """Its path in the API: a project's repositories bear the project's path, and up to two components more."""
        parts = repository.split("/")
        for length in range(len(parts), max(len(parts) - 3, _LEAST_COMPONENTS - 1), -1):
            path = f"/projects/{segment('/'.join(parts[:length]))}/registry/repositories"
            try:
                for each in self.api.pages(path, f"the repository {repository}", size="per_page"):
                    if each.get("path") == repository:
                        return f"{path}/{each.get('id')}"
            except AttemptFailed as failure:
                if failure.fault is not Fault.NOT_FOUND:
                    raise
        return None


class GitlabCatalogue(GenericCatalogue):
    """`Catalogue` of the projects that the account is a member of."""

    def __init__(self, end: GitlabEnd) -> None:
        super().__init__(end)
        self._api = end.api

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        try:
            projects = list(
                self._api.pages("/projects?membership=true&simple=true", "the list of projects", size="per_page")
            )
        except AttemptFailed as failure:
            if failure.fault is Fault.DENIED:
                raise not_listed() from failure
            raise
        for project in projects:
            path = wanted_text(project.get("path_with_namespace")).lower()
            if path.startswith(prefix) or prefix.startswith(path):
                yield from (name for name in self._of(project.get("id")) if name.startswith(prefix))

    def _of(self, project: object) -> Iterator[str]:
        """The repositories of a project; none where its registry is switched off."""
        path = f"/projects/{project}/registry/repositories"
        try:
            for each in self._api.pages(path, f"the list of repositories of project {project}", size="per_page"):
                yield wanted_text(each.get("path"))
        except AttemptFailed as failure:
            if failure.fault not in {Fault.NOT_FOUND, Fault.DENIED}:
                raise


def connect(access: Access, guard: Guard, *, gitlab: str | None = None) -> Catalogue:
    """A GitLab, as an account with a personal, group or project access token."""
    base = gitlab or home(access.url)
    host = urlsplit(base).hostname or ""
    channel = opened(access, guard, token_hosts=frozenset({host}))
    secret = access.access_secret
    api = Api(
        channel.wire, f"{base}/api/v4", lambda: {"PRIVATE-TOKEN": secret.reveal()} if secret else {}, channel.masked
    )
    return GitlabCatalogue(GitlabEnd(channel, api, place=place(access.url)))


def home(registry: str) -> str:
    """The GitLab of a registry."""
    parsed = urlsplit(registry)
    return f"{parsed.scheme}://{(parsed.hostname or '').removeprefix(_REGISTRY)}"
