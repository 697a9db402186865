"""Headers that tell browsers what never to do with an answer; a page sets its own policy.

To stay with TLS they are told by the proxy, once for all answers.
"""

from typing import Final

from gateway.core.request import ApiRequest, ApiResponse

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_UNLESS_SET: Final = {
    "Content-Security-Policy": NOTHING,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Sets them on everything but the registry's own paths."""

    def process_response(self, req: ApiRequest, resp: ApiResponse, _resource: object, _succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Fill in what the resource has not set."""
        if req.path.startswith("/v2"):
            return
        resp.set_headers(_HEADERS)
        for name, value in _UNLESS_SET.items():
            if resp.get_header(name) is None:
                resp.set_header(name, value)
