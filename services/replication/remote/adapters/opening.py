"""What every adapter begins with: connections, and a channel to the registry as somebody."""

from services.replication.domain.registry import Access
from services.replication.remote.auth import Login
from services.replication.remote.channel import Channel, origin
from services.replication.remote.transport import Pools
from shared.outbound import Guard


def opened(
    access: Access,
    guard: Guard,
    *,
    url: str | None = None,
    name: str | None = None,
    token_hosts: frozenset[str] = frozenset(),
) -> Channel:
    """A channel to the registry. `url` is where it is, if not where the access says; `name` who we are there.

    `token_hosts` are the hosts besides the registry's own that the credential may be shown to.
    """
    pools, base = Pools(access, guard), url or access.url
    login = Login(pools, base, name or access.access_key, access.access_secret, token_hosts=token_hosts)
    return Channel(base, pools, login)


def place(url: str) -> str:
    """What tells a registry from all others."""
    scheme, host, port = origin(url)
    return f"{scheme}://{host}:{port}{url.partition('://')[2].partition('/')[2].rstrip('/')}"
