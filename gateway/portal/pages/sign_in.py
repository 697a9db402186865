"""Signing in and out at the portal's own form; sessions are those of the API."""

import falcon

from gateway.browser import SESSION_COOKIE
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.resources.session import begin_session
from gateway.core.sign_in import SignIn
from gateway.portal.forms import read_form
from gateway.portal.portal import Page, Portal, page
from shared.auth import sessions
from shared.auth.authenticate import Credential
from shared.errors import TooManyRequests, Unauthorized
from shared.secrets import Secret

_HOME = "/"


class SignInPage(Page):
    """/sign-in: `next` is the page of ours that somebody wanted to see."""

    def __init__(self, portal: Portal, sign_in: SignIn) -> None:
        super().__init__(portal)
        self._sign_in = sign_in

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The form; whoever has signed in goes on at once."""
        wanted = own_path(req.text("next"))
        if req.caller.is_authenticated:
            self.portal.go(req, resp, wanted)
        else:
            self.portal.show(req, resp, "sign_in.html", name="", wanted=wanted, sentence="")

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Begin a session, or say what is wrong. Raises ForeignForm, BadForm, Unavailable."""
        form = read_form(req)
        name, wanted = form.text("principal"), own_path(form.text("next"))
        try:
            begin_session(self._sign_in, req, resp, Credential(name=name, password=Secret(form.raw("password"))))
        except (Unauthorized, TooManyRequests) as error:
            status = 429 if isinstance(error, TooManyRequests) else 401
            self.portal.show(
                req, resp, "sign_in.html", status=status, name=name, wanted=wanted,
                sentence=f"{error.sentence[:1].upper()}{error.sentence[1:]}.",
            )  # fmt: skip
        else:
            self.portal.go(req, resp, wanted)


class SignOut(Page):
    """POST /sign-out."""

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """End the session. Raises ForeignForm."""
        if req.get_header("Origin") is not None:
            read_form(req)
        for cookie in req.get_cookie_values(SESSION_COOKIE) or ():
            sessions.end(req.database, cookie)
            resp.unset_cookie(SESSION_COOKIE, path="/", same_site="Strict")
        resp.status = falcon.HTTP_303
        resp.set_header("Location", "/sign-in")


def own_path(text: str) -> str:
    """A path of this portal, whatever an address says: never another site's."""
    inside = text.startswith("/") and not text.startswith(("//", "/\\", "/api/", "/c/")) and "\\" not in text
    return text if inside and text.isprintable() else _HOME
