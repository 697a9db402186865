"""Tag registry: /registries and /replication/adapters."""

from collections.abc import Callable

from gateway.core.access import require_system
from gateway.core.bodies.registry import RegistryBody, RegistryPingBody, RegistryUpdateBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.views.registry import adapter_infos_view, adapters_view, info_view, registry_view
from gateway.core.writing import write_page
from services.replication.commands import registry as commands
from services.replication.domain.registry import Access
from services.replication.errors import AttemptFailed, UnhealthyRegistry
from services.replication.queries import registry as queries
from shared.outbound import Guard, Reach
from shared.secrets import Sealer
from shared.settings import Settings

Check = Callable[[Access, Guard], None]
"""Asks another registry whether it answers and takes the credential. Raises AttemptFailed."""

_RESOURCE = "registry"
_LOCAL = "0"


class Registries:
    """/registries."""

    def __init__(self, settings: Settings, sealer: Sealer) -> None:
        self._guard = Guard(Reach.PRIVATE, settings.outbound_allow)
        self._sealer = sealer

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the other registries."""
        require_system(req, (_RESOURCE, "list"))
        listing = req.listing()
        page = queries.list_registries(req.database, listing, name=req.text("name"))
        write_page(req, resp, listing, page, registry_view)

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Set another registry up."""
        require_system(req, (_RESOURCE, "create"))
        registry = commands.create_registry(
            req.database,
            read_body(req, RegistryBody).wish(),
            refuses=self._guard.refuses,
            sealer=self._sealer,
            now=req.now,
            context=req.event_context,
        )
        resp.created(f"{API}/registries/{registry.id}")


class Ping:
    """/registries/ping."""

    def __init__(self, settings: Settings, sealer: Sealer, check: Check) -> None:
        self._guard = Guard(Reach.PRIVATE, settings.outbound_allow)
        self._sealer = sealer
        self._check = check

    def on_post(self, req: ApiRequest, _resp: ApiResponse) -> None:
        """Ask another registry whether it answers and takes the credential."""
        require_system(req, (_RESOURCE, "read"))
        body = read_body(req, RegistryPingBody)
        access = commands.access_to_try(
            req.database, body.id, body.wish(), refuses=self._guard.refuses, sealer=self._sealer
        )
        req.release_database()
        try:
            self._check(access, self._guard)
        except AttemptFailed as error:
            raise UnhealthyRegistry(f"the registry is unhealthy: {error.sentence}") from error


class OneRegistry:
    """/registries/{id}."""

    def __init__(self, settings: Settings, sealer: Sealer) -> None:
        self._guard = Guard(Reach.PRIVATE, settings.outbound_allow)
        self._sealer = sealer

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show a registry."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = registry_view(queries.get_registry(req.database, identifier(id)))

    def on_put(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Change a registry; what is not named stays as it is."""
        require_system(req, (_RESOURCE, "update"))
        commands.update_registry(
            req.database,
            identifier(id),
            read_body(req, RegistryUpdateBody).wish(),
            refuses=self._guard.refuses,
            sealer=self._sealer,
            now=req.now,
            context=req.event_context,
        )

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Forget a registry that no policy is about."""
        require_system(req, (_RESOURCE, "delete"))
        commands.delete_registry(req.database, identifier(id), context=req.event_context)


class Info:
    """/registries/{id}/info."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, id: str) -> None:  # noqa: A002 - Harbor's name in the path
        """Show what can be asked of a registry; 0 is this one."""
        require_system(req, (_RESOURCE, "read"))
        resp.media = info_view(None if id == _LOCAL else queries.get_registry(req.database, identifier(id)).kind)


class Adapters:
    """/replication/adapters."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List the types of registries."""
        require_system(req, ("replication-adapter", "list"))
        resp.media = adapters_view()


class AdapterInfos:
    """/replication/adapterinfos."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Show where registries of each type are found, and what they are told."""
        require_system(req, ("replication-adapter", "list"))
        resp.media = adapter_infos_view()
