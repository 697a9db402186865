"""GET /v2/<name>/tags/list: the registry's own list, in order and in pages.

Not out of the catalogue, which follows the registry: a tag that was just pushed is listed at once, one that was just
deleted no more, and the broker or the database may be away. Whether the client may read it, the registry says.
"""

import json
import re
from typing import Final

from gateway.core.distribution.paging import link_next, read_page
from gateway.core.distribution.registry import ClientsRegistry
from gateway.core.request import ApiRequest, ApiResponse
from shared.errors import MethodNotAllowed

ROUTE: Final = re.compile(r"/v2/(?P<name>.+)/tags/list\Z")
_OK: Final = 200


class TagList:
    """The tags of a repository."""

    def __init__(self, registry: ClientsRegistry) -> None:
        self._registry = registry

    def __call__(self, req: ApiRequest, resp: ApiResponse, **path: str) -> None:
        """Answer a page; without `n` the whole list. Raises BadPageSize, RegistryUnavailable."""
        if req.method not in {"GET", "HEAD"}:
            raise MethodNotAllowed
        said = self._registry.get(req, req.path)
        if said.status != _OK:
            said.pass_on(resp)
            return
        wanted = read_page(req)
        tags = sorted(tag for tag in json.loads(said.body).get("tags") or [] if tag > wanted.last)
        page = tags[: wanted.n]
        if page and wanted.n is not None and len(page) < len(tags):
            link_next(req, resp, {"last": page[-1], "n": wanted.n})
        resp.media = {"name": path["name"], "tags": page}
