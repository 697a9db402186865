"""The API's own description: /openapi.json for programs, /api/docs for people. Nobody has to sign in for it."""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from gateway.core.openapi import page
from gateway.core.openapi.document import document
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.resources.systeminfo import VERSION

_DAY: Final = "public, max-age=86400"


class Description:
    """The document of some routes, made when it is first asked for."""

    def __init__(self, routes: Mapping[str, object]) -> None:
        self._routes = routes

    @cached_property
    def document(self) -> dict[str, Any]:
        """The document itself."""
        return document(self._routes, VERSION)

    @cached_property
    def json(self) -> bytes:
        """The document as it is answered."""
        return json.dumps(self.document, ensure_ascii=False).encode()

    @cached_property
    def page(self) -> bytes:
        """The document as a page."""
        return page.page(self.document)


class OpenApi:
    """/openapi.json."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Describe what is built."""
        resp.content_type = "application/json"
        resp.data = self._description.json


class Docs:
    """/api/docs."""

    def __init__(self, description: Description) -> None:
        self._description = description

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """The same in words."""
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", page.POLICY)
        resp.data = self._description.page


class DocsStyle:
    """/api/docs/page.css."""

    def __init__(self) -> None:
        self._sheet = page.style()

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """How the page looks."""
        resp.content_type = "text/css; charset=utf-8"
        resp.cache_control = [_DAY]
        resp.data = self._sheet
