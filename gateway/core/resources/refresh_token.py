"""Refresh tokens of a user, an extension of Breakwater: what docker clients keep in place of a password."""

from uuid import UUID

from gateway.core.access import require_administrator, require_login
from gateway.core.bodies.user import NewRefreshTokenBody
from gateway.core.reading import read_body
from gateway.core.request import API, ApiRequest, ApiResponse, identifier
from gateway.core.writing import Json, given, time_or_never, write_page
from services.api.domain.user import Source, User
from services.api.queries.user import get_user
from services.token.commands import create_refresh_token, revoke_refresh_tokens
from services.token.domain import RefreshToken
from services.token.queries import list_refresh_tokens
from shared.auth.principals import PrincipalKind
from shared.errors import Forbidden, NotFound, Unprocessable


class RefreshTokens:
    """/users/{user_id}/refresh_tokens."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """List the refresh tokens of an account; none of them can be read back."""
        user = _owner(req, user_id)
        listing = req.listing()
        write_page(req, resp, listing, list_refresh_tokens(req.database, user.id, listing, now=req.now), _view)

    def on_post(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """Make one for oneself: the answer is the only time that it can be read."""
        user = _oneself(req, user_id)
        client_id = read_body(req, NewRefreshTokenBody).client_id
        made = create_refresh_token(
            req.database, req.caller, client_id=client_id, address=req.address or "", now=req.now,
            context=req.event_context,
        )  # fmt: skip
        resp.created(f"{API}/users/{user.id}/refresh_tokens/{made.id}")
        resp.media = {
            "id": str(made.id),
            "refresh_token": made.text.reveal(),
            "expiration_time": time_or_never(made.expires_at),
        }

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, user_id: str) -> None:
        """Revoke all refresh tokens of an account."""
        _revoke(req, _owner(req, user_id), None)


class OneRefreshToken:
    """/users/{user_id}/refresh_tokens/{token_id}."""

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, user_id: str, token_id: str) -> None:
        """Revoke one refresh token."""
        user = _owner(req, user_id)
        try:
            number = UUID(token_id)
        except ValueError as error:
            raise Unprocessable("the number of a refresh token is a UUID") from error
        if not _revoke(req, user, number):
            raise NotFound("the refresh token does not exist, or is revoked already")


def _owner(req: ApiRequest, user_id: str) -> User:
    caller = require_login(req)
    number = identifier(user_id)
    if caller.kind is not PrincipalKind.USER or caller.id != number:
        require_administrator(req)
    return get_user(req.database, number)


def _oneself(req: ApiRequest, user_id: str) -> User:
    """The caller, where the account is his own and of the database: the end of one in a directory goes unnoticed."""
    caller = require_login(req)
    number = identifier(user_id)
    if caller.kind is not PrincipalKind.USER or caller.id != number:
        raise Forbidden("everybody makes refresh tokens for himself alone")
    user = get_user(req.database, number)
    if user.source is not Source.DATABASE:
        raise Forbidden("the account is kept in the directory: its clients sign in with the password")
    return user


def _revoke(req: ApiRequest, user: User, token_id: UUID | None) -> int:
    return revoke_refresh_tokens(
        req.database, user.id, user.username, token_id=token_id, now=req.now, context=req.event_context
    )


def _view(token: RefreshToken) -> Json:
    return given(
        id=str(token.id),
        client_id=token.client_id,
        address=token.address,
        creation_time=time_or_never(token.created_at),
        last_used_time=time_or_never(token.used_at),
        expiration_time=time_or_never(token.expires_at),
    )
