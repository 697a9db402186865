"""What only system administrators see."""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from gateway.core.access import require_administrator
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.portal import Page, page

Responder = TypeVar("Responder", bound=Callable[..., None])


def admin_page(responder: Responder) -> Responder:
    """As `page`, for system administrators alone; others are refused by a page."""

    @wraps(responder)
    def respond(self: Page, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        require_administrator(req)
        responder(self, req, resp, **parts)

    return page(respond)  # type: ignore[return-value]  # wraps keeps the signature
