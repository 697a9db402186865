"""Tag ping: /ping, /api/version and the proxy's /healthz."""

import falcon
from sqlalchemy import text

from gateway.core.request import ApiRequest, ApiResponse


class Ping:
    """/ping."""

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Answer without asking anything."""
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "Pong"


class Version:
    """/api/version."""

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Tell which API this is."""
        resp.media = {"version": "v2.0"}


class Healthz:
    """/healthz, for load balancers: 200 where this process and its database answer, 503 otherwise."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Ask the database."""
        req.database.execute(text("SELECT 1"))
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "ok\n"
