"""Addresses where nothing is: people get a page, clients the JSON that they know."""

import re
from typing import Final

import falcon

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.portal import Page, page
from shared.errors import NotFound

ADDRESSES: Final = re.compile(r"/(?!(?:api|v2|c|assets|healthz|metrics)(?:/|\Z))")
"""Those of the portal: others speak to programs alone."""


class Elsewhere(Page):
    """Takes what no route takes."""

    def __call__(self, req: ApiRequest, resp: ApiResponse, **_parts: str) -> None:
        """Raises NotFound, answered by a page where a browser asks for one."""
        if "text/html" in (req.get_header("Accept") or ""):
            self._tell(req, resp)
        raise falcon.HTTPRouteNotFound

    @page
    def _tell(self, _req: ApiRequest, _resp: ApiResponse) -> None:
        raise NotFound("no page has this address")
