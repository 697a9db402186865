"""The page at the root: what this is and where to go. It asks nothing, and nobody has to sign in for it."""

from importlib.resources import files
from typing import Final

import falcon

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_DAY: Final = "public, max-age=86400"


class Index:
    """/."""

    def __init__(self) -> None:
        self._page = files("gateway.portal").joinpath("index.html").read_bytes()

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """The page."""
        resp.content_type = "text/html; charset=utf-8"
        resp.set_header("Content-Security-Policy", POLICY)
        resp.data = self._page


class Style:
    """/portal/style.css."""

    def __init__(self) -> None:
        self._sheet = files("gateway.portal").joinpath("style.css").read_bytes()

    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        """How the page looks."""
        resp.content_type = "text/css; charset=utf-8"
        resp.cache_control = [_DAY]
        resp.data = self._sheet
