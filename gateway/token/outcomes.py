"""Counting how requests for tokens end, by what was shown for them. Resources say what that was; refusals say why."""

from enum import StrEnum

from falcon.asgi import Request, Response

from gateway.metering import Meter
from shared.metrics.figures import TOKENS
from shared.metrics.tally import Tally
from shared.readiness import LIVE, READY


class Grant(StrEnum):
    """What a token is asked for with."""

    NOTHING = "nothing"
    """Nobody has signed in; so is every first request of docker's."""
    PASSWORD = "password"  # noqa: S105 - a word for it, no secret
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a word for it, no secret
    SYSTEM = "system"
    """A service's own credential."""
    REQUEST = "request"
    """A password on /v2 itself, for the token of that one request."""
    UNREAD = "unread"
    """The request could not be read as far as that."""


class TokenMeter(Meter):
    """Middleware: counts answers as every mount does, and how requests for tokens end."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(tally, _area)

    async def process_response(self, req: Request, resp: Response, resource: object, succeeded: bool) -> None:  # noqa: FBT001 - Falcon's signature
        """Count it."""
        await super().process_response(req, resp, resource, succeeded)
        if getattr(resource, "hands_out_tokens", False):
            grant: Grant = getattr(req.context, "grant", Grant.UNREAD)
            outcome: str = getattr(req.context, "refusal", "issued" if succeeded else "unknown")
            self._tally.count(TOKENS, grant.value, outcome.lower())


def shown(req: Request, grant: Grant) -> None:
    """What the sender shows."""
    req.context.grant = grant


def refused(req: Request, code: str) -> None:
    """It ends in a refusal of this code."""
    req.context.refusal = code


def _area(path: str) -> str | None:
    if path in {LIVE, READY}:
        return None
    return "internal" if path.startswith("/internal/") else "token"
