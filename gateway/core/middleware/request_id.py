"""A number for every request, the client's own where it is usable: it joins the answer, the log and the events."""

import re
from ipaddress import ip_address
from typing import Final
from uuid import UUID, uuid4

import structlog

from gateway.core.request import ApiRequest, ApiResponse, utc_now

_USABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Numbers requests, and notes when and from where they came."""

    def __init__(self, instance_id: UUID) -> None:
        self._instance_id = instance_id

    def process_request(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Bind the number for everything that is logged from here on."""
        sent = req.get_header("X-Request-Id") or ""
        req.request_id = sent if _USABLE.fullmatch(sent) else uuid4().hex
        req.instance_id = self._instance_id
        req.now = utc_now()
        req.address = _client_address(req)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=req.request_id)
        resp.set_header("X-Request-Id", req.request_id)


def _client_address(req: ApiRequest) -> str | None:
    """The address that the proxy saw; it overwrites the header, and nothing else reaches this socket."""
    sent = (req.get_header("X-Forwarded-For") or "").rpartition(",")[2].strip()
    try:
        return str(ip_address(sent))
    except ValueError:
        return None
