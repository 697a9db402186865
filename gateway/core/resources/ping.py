"""Tag ping: /ping, /api/version, the proxy's /healthz, and what this process is asked by whoever has started it."""

import falcon

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


class Livez:
    """/livez: this process turns, whatever else is away. The proxy does not lead here."""

    def on_get(self, _req: ApiRequest, resp: ApiResponse) -> None:
        """Answer without asking anything."""
        _well(resp)


class Readyz:
    """/readyz, and /healthz for load balancers: 200 where this process and its database answer, 503 otherwise."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Take a connection: the pool asks one that was idle, or makes one, and gives up on either within seconds."""
        req.database.connection()
        _well(resp)


def _well(resp: ApiResponse) -> None:
    resp.content_type = falcon.MEDIA_TEXT
    resp.text = "ok\n"
