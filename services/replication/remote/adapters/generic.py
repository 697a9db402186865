"""Any registry that follows the OCI distribution specification: what it lists, it lists by its catalog."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final

from services.replication.domain.registry import Access
from services.replication.domain.retention import Placed, Retention
from services.replication.domain.task import Fault
from services.replication.ends import Catalogue, Found, Label
from services.replication.errors import AttemptFailed
from services.replication.remote.adapters.opening import opened, place
from services.replication.remote.answers import LIST_LIMIT
from services.replication.remote.client import PAGE, RegistryEnd, names
from shared.names import Digest
from shared.outbound import Guard

CATALOG_SCOPE: Final = "registry:catalog:*"
_NOT_LISTED: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
)


class GenericCatalogue:
    """`Catalogue` by the specification alone."""

    def __init__(self, end: RegistryEnd) -> None:
        self.end: RegistryEnd = end

    def check(self) -> None:
        """As `Catalogue` says."""
        answer = self.end.channel.ask("GET", "/v2/", "")
        if answer.status != HTTPStatus.OK:
            raise self.end.channel.refused("the registry's base", answer)

    def repositories(self, prefix: str) -> Iterator[str]:
        """As `Catalogue` says."""
        answer = self.end.channel.ask("GET", f"/v2/_catalog?n={PAGE}", CATALOG_SCOPE, limit=LIST_LIMIT)
        if answer.status in _NOT_LISTED:
            raise not_listed()
        for page in self.end.pages(answer, CATALOG_SCOPE, "the catalog of repositories"):
            yield from (name for name in names(page, "repositories") if name.startswith(prefix))

    def artifacts(self, repository: str) -> Iterator[Found]:
        """As `Catalogue` says."""
        for tag in self.end.tags(repository):
            yield Found(repository=repository, tags=(tag,))

    def prepare(self, repository: str, *, public: bool) -> None:
        """As `Catalogue` says: a repository is there once something is pushed to it."""

    def label(self, repository: str, digest: Digest, labels: Sequence[Label]) -> list[str]:  # noqa: ARG002 - as Catalogue
        """As `Catalogue` says; no policy asks for it that is about a registry of another kind than Harbor's."""
        raise AttemptFailed(Fault.REFUSED, "this registry knows no labels")

    def retention(self, project: str) -> Placed:  # noqa: ARG002 - as Catalogue
        """As `Catalogue` says; only of a Harbor is it asked for."""
        raise AttemptFailed(Fault.REFUSED, "this registry knows no retention")

    def put_retention(self, project: str, there: Placed, wanted: Retention) -> int:  # noqa: ARG002 - as Catalogue
        """As `Catalogue` says; only of a Harbor is it asked for."""
        raise AttemptFailed(Fault.REFUSED, "this registry knows no retention")


def connect(access: Access, guard: Guard) -> Catalogue:
    """A registry of any make."""
    return GenericCatalogue(RegistryEnd(opened(access, guard), place=place(access.url)))


def not_listed() -> AttemptFailed:
    """For a registry that names its repositories to nobody, or not to this account."""
    return AttemptFailed(
        Fault.REFUSED,
        "the registry does not list its repositories to this account: name them in the filter, without patterns",
    )
