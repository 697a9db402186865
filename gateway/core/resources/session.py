"""Signing in and out with a form, as browsers do: outside the API, at Harbor's addresses."""

from typing import Final

import falcon

from gateway.browser import SESSION_COOKIE
from gateway.core.middleware.authentication import refuse_cross_site
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.sign_in import SignIn
from shared.auth import sessions
from shared.auth.authenticate import Credential, Reason, Rejected
from shared.auth.errors import TooManyGuesses
from shared.auth.principals import PrincipalKind
from shared.errors import BadRequest, Unauthorized
from shared.secrets import Secret

_MOST_FORM: Final = 16 * 1024


class WrongCredentials(Unauthorized):
    """The form does not sign anybody in."""

    default = "incorrect username or password"


class LogIn:
    """POST /c/login: `principal` and `password` in a form."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Begin a session under a new cookie, and end the one that the browser came with.

        A robot account has none. Raises CrossSite, BadRequest, WrongCredentials, TooManyGuesses, Unavailable.
        """
        refuse_cross_site(req)
        begin_session(self._sign_in, req, resp, _read(req))
        resp.status = falcon.HTTP_200


class LogOut:
    """GET /c/log_out. The cookie is not sent along from another site, and without it nothing is changed."""

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """End the session that the browser has, if it has one."""
        for cookie in req.get_cookie_values(SESSION_COOKIE) or ():
            sessions.end(req.database, cookie)
            resp.unset_cookie(SESSION_COOKIE, path="/", same_site="Strict")
        resp.status = falcon.HTTP_200


def begin_session(sign_in: SignIn, req: ApiRequest, resp: ApiResponse, credential: Credential) -> None:
    """Begin a session of whoever the credential belongs to. Raises WrongCredentials, TooManyGuesses, Unavailable."""
    verdict = sign_in.judge(req, credential)
    if isinstance(verdict, Rejected):
        if verdict.reason is Reason.GUESSING:
            raise TooManyGuesses(verdict.retry_after)
        raise WrongCredentials
    if verdict.principal.kind is not PrincipalKind.USER:
        raise WrongCredentials
    sign_in.tell(req, verdict)
    if req.session_cookie is not None:
        sessions.end(req.database, req.session_cookie)
    cookie = sessions.begin(req.database, verdict.principal, verdict.method, sign_in.client_of(req), req.now)
    resp.set_cookie(SESSION_COOKIE, cookie, path="/", http_only=True, same_site="Strict", secure=_is_secure(req))


def _read(req: ApiRequest) -> Credential:
    """The form's two fields. Raises BadRequest."""
    if (req.content_type or "").partition(";")[0].strip().lower() != falcon.MEDIA_URLENCODED:
        raise BadRequest(f"the content type must be {falcon.MEDIA_URLENCODED}")
    body = req.bounded_stream.read(_MOST_FORM + 1)
    if len(body) > _MOST_FORM:
        raise BadRequest(f"the form is longer than {_MOST_FORM} bytes")
    try:
        fields = falcon.uri.parse_query_string(body.decode("ascii"), keep_blank=True)
    except UnicodeDecodeError as error:
        raise BadRequest("the form is not URL-encoded") from error
    principal, password = fields.get("principal", ""), fields.get("password", "")
    if isinstance(principal, list) or isinstance(password, list):
        raise BadRequest("the form has a field more than once")
    return Credential(name=principal, password=Secret(password))


def _is_secure(req: ApiRequest) -> bool:
    return req.forwarded_scheme == "https"
