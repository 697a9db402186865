"""What every page needs: who looks at it, the API in his name, and a way to show, to go on, and to refuse."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote, urlencode

import falcon

from gateway.core import access
from gateway.core.inner import Inner
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, Application
from gateway.portal.banner import BannerBoard
from gateway.portal.rendering import SHEET, Templates
from shared.auth import sessions
from shared.auth.principals import Principal
from shared.auth.roles import Permission

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
NOTICE_COOKIE: Final = "notice"
THEME_COOKIE: Final = "theme"
_MOST_NOTICE: Final = 400
_THEMES: Final = frozenset({"light", "dark"})

Responder = TypeVar("Responder", bound=Callable[..., None])


class Portal:
    """Shared by all pages of a process."""

    def __init__(self, application: Application, templates: Templates) -> None:
        self._application = application
        self.templates = templates
        self.banner = BannerBoard()

    def enter(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Find out who looks at the page: the session's person, or nobody in particular."""
        resp.set_header("Content-Security-Policy", POLICY)
        resp.set_header("Referrer-Policy", "same-origin")  # with none browsers would not say which page sends a form
        resp.set_header("Vary", "HX-Request, HX-Target, Cookie")
        req.caller = Principal.anonymous()
        if req.session_cookie is not None:
            found = sessions.find(req.database, req.session_cookie, req.now, renew=True)
            if found is not None:
                req.caller = found.principal
            req.release_database()
        req.context.lent = Inner(caller=req.caller, database=req.database)

    def api(self, req: ApiRequest) -> Api:
        """The API in the name of whoever looks at the page."""
        return Api(self._application, req, req.context.lent)

    def may(self, req: ApiRequest, project: str) -> frozenset[Permission]:
        """What he may do in a project. Raises NoSuchProject for an administrator."""
        granted = access.project_permissions(req, project, by_name=True)
        req.release_database()
        return granted

    def show(
        self, req: ApiRequest, resp: ApiResponse, template: str, *, block: str | None = None, status: int = 200,
        **values: Any,  # noqa: ANN401 - whatever the template shows
    ) -> None:
        """A whole page, or one block of it where htmx asks for a part: the one that its target is named for.

        `block` is the part that can be exchanged by itself; a form for the dialog is always its block `sheet`.
        """
        target = req.get_header("HX-Target") if req.get_header("HX-Request") else None
        is_part = target is not None and target in {block, SHEET}
        values = self._frame(req, resp) | values | {"is_part": is_part}
        if target is not None and is_part:
            resp.text = self.templates.block(template, target, values)
        else:
            resp.text = self.templates.page(template, values)
        resp.content_type = "text/html; charset=utf-8"
        resp.status = falcon.code_to_http_status(status)

    def go(self, req: ApiRequest, resp: ApiResponse, path: str, notice: str = "") -> None:
        """Go on to another page, which tells what was done."""
        if notice:
            resp.set_cookie(
                NOTICE_COOKIE, quote(notice[:_MOST_NOTICE]), path="/", http_only=True, same_site="Strict", max_age=60,
                secure=req.forwarded_scheme == "https",
            )  # fmt: skip
        if req.get_header("HX-Request"):
            resp.status = falcon.HTTP_200
            resp.set_header("HX-Redirect", path)
        else:
            resp.status = falcon.HTTP_303
            resp.set_header("Location", path)

    def refuse(self, req: ApiRequest, resp: ApiResponse, sentence: str, status: int) -> None:
        """The page that says what is wrong and what to do next; whoever has not signed in is asked to do so."""
        if status == 401 and not req.caller.is_authenticated:  # noqa: PLR2004 - the status of Unauthorized
            back = f"{req.path}?{req.query_string}" if req.query_string else req.path
            self.go(req, resp, "/sign-in?" + urlencode({"next": back if req.method == "GET" else "/"}))
            return
        self.show(
            req, resp, "error.html", block="list", status=status, code=status, sentence=sentence,
            request_id=req.request_id,
        )  # fmt: skip

    def _frame(self, req: ApiRequest, resp: ApiResponse) -> dict[str, Any]:
        """What the frame around every page shows."""
        theme = _cookie(req, THEME_COOKIE)
        notice = unquote(_cookie(req, NOTICE_COOKIE))[:_MOST_NOTICE]
        if notice and req.method == "GET":
            resp.unset_cookie(NOTICE_COOKIE, path="/", same_site="Strict")
        return {
            "caller": req.caller,
            "signed_in": req.caller.is_authenticated,
            "is_admin": req.caller.is_admin,
            "path": req.path,
            "host": req.get_header("Host") or "",
            "scheme": req.forwarded_scheme,
            "banner": self.banner.shown(lambda: self.api(req).get("/systeminfo")),
            "theme": theme if theme in _THEMES else "",
            "notice": notice if req.method == "GET" else "",
        }


class Page:
    """A resource that is a page, or takes a form of one. HEAD is answered as GET is, without the page (RFC 9110)."""

    def __init_subclass__(cls) -> None:
        """What is shown can be asked for too."""
        super().__init_subclass__()
        if hasattr(cls, "on_get"):
            cls.on_head = cls.on_get  # type: ignore[attr-defined]  # for falcon, which looks for it by its name

    def __init__(self, portal: Portal) -> None:
        self.portal = portal


def page(responder: Responder) -> Responder:
    """Make a method of a Page find out who asks first, and answer what is refused with a page."""

    @wraps(responder)
    def respond(self: Page, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        self.portal.enter(req, resp)
        req.context.page = self.portal.refuse
        responder(self, req, resp, **parts)

    return respond  # type: ignore[return-value]  # wraps keeps the signature


def _cookie(req: ApiRequest, name: str) -> str:
    values = req.get_cookie_values(name) or [""]
    return values[0]
