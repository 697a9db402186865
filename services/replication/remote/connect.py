"""The one table from a kind of registry to what speaks with it."""

from collections.abc import Callable, Mapping
from typing import Final

from services.replication.domain.registry import Access, RegistryKind
from services.replication.ends import Catalogue
from services.replication.errors import UnfitRegistry
from services.replication.remote.adapters.generic import GenericCatalogue
from services.replication.remote.adapters.harbor import harbor
from services.replication.remote.auth import Login
from services.replication.remote.channel import Channel, origin
from services.replication.remote.client import RegistryEnd
from services.replication.remote.transport import Pools
from shared.outbound import Guard

Connect = Callable[[Access, Guard], Catalogue]


def connect(access: Access, guard: Guard) -> Catalogue:
    """What speaks with this registry. It holds the connections and tokens: keep it while it is worked with.

    Nothing is sent yet. Raises UnfitRegistry, AttemptFailed.
    """
    found = KINDS.get(access.kind)
    if found is None:
        raise UnfitRegistry(f"registries of the kind {access.kind} are not known here")
    return found(access, guard)


def _generic(access: Access, guard: Guard) -> Catalogue:
    return GenericCatalogue(RegistryEnd(_channel(access, guard), place=place(access.url)))


def _harbor(access: Access, guard: Guard) -> Catalogue:
    return harbor(access.url, access, _channel(access, guard), place(access.url))


def _channel(access: Access, guard: Guard) -> Channel:
    pools = Pools(access, guard)
    return Channel(access.url, pools, Login(pools, access.url, access.access_key, access.access_secret))


def place(url: str) -> str:
    """What tells a registry from all others."""
    scheme, host, port = origin(url)
    return f"{scheme}://{host}:{port}{url.partition('://')[2].partition('/')[2].rstrip('/')}"


KINDS: Final[Mapping[RegistryKind, Connect]] = {
    RegistryKind.DOCKER_REGISTRY: _generic,
    RegistryKind.HARBOR: _harbor,
}
