"""GET /v2/_catalog: the repositories that the caller may see, out of the catalogue.

With name and password everybody gets his own; a bearer opens it only where it was granted the catalog of all.
"""

from typing import Final

import falcon

from gateway.core.access import system_permissions
from gateway.core.distribution.paging import link_next, read_page
from gateway.core.distribution.registry import ClientsRegistry
from gateway.core.middleware.authentication import basic_credential
from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.sign_in import SignIn
from gateway.errors import CHALLENGE, registry_body
from services.api.queries.repository import repository_names
from shared.auth.authenticate import Reason, Rejected
from shared.auth.bearer import Bearer, Verifier
from shared.auth.principals import Principal
from shared.errors import TooManyRequests, Unauthorized

PAGE: Final = 1_000
"""Names of one answer at most, and where `n` is not given."""


class Catalog:
    """The repositories with something in them."""

    def __init__(self, sign_in: SignIn, verifier: Verifier, registry: ClientsRegistry) -> None:
        self._sign_in = sign_in
        self._verifier = verifier
        self._registry = registry

    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """List a page, by name. Raises BadPageSize, Unauthorized, Unavailable."""
        bearer = self._verifier.read(req.auth)
        if bearer is None:
            caller = self._caller(req, resp)
            if caller is None:
                return
            whose = None if _sees_all(caller) else caller
        elif isinstance(bearer, Bearer) and bearer.lists_all:
            whose = None
        else:
            # what is missing, and in which form to ask for it, the registry says; it sees no token we do not believe
            self._registry.get(req, f"{req.path}?n=1", with_token=isinstance(bearer, Bearer)).pass_on(resp)
            return
        wanted = read_page(req)
        size = PAGE if wanted.n is None else min(wanted.n, PAGE)
        names = repository_names(req.database, whose, after=wanted.last, limit=size + 1) if size else []
        if len(names) > size:
            link_next(req, resp, {"last": names[size - 1], "n": size})
        resp.media = {"repositories": names[:size]}

    def _caller(self, req: ApiRequest, resp: ApiResponse) -> Principal | None:
        """Who has sent a name and a password; None where the answer is written. Raises Unauthorized, Unavailable."""
        credential = basic_credential(req.auth or "")
        if credential is None:
            resp.set_header("WWW-Authenticate", CHALLENGE)
            raise Unauthorized
        verdict = self._sign_in.judge(req, credential)
        if not isinstance(verdict, Rejected):
            return verdict.principal
        if verdict.reason is Reason.GUESSING:
            resp.status = falcon.HTTP_429
            resp.set_header("Retry-After", str(max(1, round(verdict.retry_after))))
            resp.content_type = falcon.MEDIA_JSON
            resp.data = registry_body(TooManyRequests.code, "too many failed logins of this account from this address")
            return None
        resp.set_header("WWW-Authenticate", CHALLENGE)
        raise Unauthorized("incorrect username or password")


def _sees_all(caller: Principal) -> bool:
    return caller.is_admin or ("catalog", "read") in system_permissions(caller)
