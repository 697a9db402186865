"""Somebody's own account: profile, password, what docker clients remember of it, and the roles it has."""

import json
from base64 import b64encode
from typing import Any, Final
from urllib.parse import quote

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import BadForm
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.projects import ROLES
from gateway.portal.pages.sheets import FormPage, SignedIn, Visit, filled
from gateway.portal.portal import Page, page
from shared.settings import TOKEN_SERVICE

RULE_OF_PASSWORDS: Final = "8 to 128 characters, with an upper case letter, a lower case letter and a digit among them."
_FIRST_ADMIN: Final = 1
_PAGE: Final = 100
_ALL: Final = "all"
_TOLD: Final = 10
"""Tokens that are named before they are revoked."""


class Profile(Page):
    """/profile."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The account of whoever looks."""
        require_login(req)
        api = self.portal.api(req)
        account = api.get("/users/current")
        state = list_state(
            req, sorts=("-creation_time", "client_id", "address", "last_used_time", "expiration_time")
        )
        tokens = api.listed(
            f"/users/{account['user_id']}/refresh_tokens", page=state.page, page_size=state.page_size, sort=state.sort,
            q=fuzzy("client_id", state.search),
        )  # fmt: skip
        roles = api.listed("/users/current/roles", page_size=_PAGE, sort="name")
        self.portal.show(
            req, resp, "profile.html", block="list", account=account, in_directory=in_directory(api, account),
            state=state, tokens=tokens.items, total=tokens.total,
            roles=[(each["project_name"], ROLES[each["role_id"]]) for each in roles.items],
            more_projects=roles.total > len(roles.items),
        )  # fmt: skip


class EditProfile(SignedIn, FormPage[Visit]):
    """/profile/edit."""

    template = "account_edit.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        return account_form(visit.api.get("/users/current"))

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """Whose it is."""
        del visit, form
        return {"heading": "Edit your profile", "back": "/profile"}

    def act(self, visit: Visit, form: Form) -> None:
        """Change it."""
        visit.api.send("PUT", f"/users/{visit.req.caller.id}", profile_body(form))
        self.go(visit, "/profile", "Your profile is changed.")


class ChangePassword(SignedIn, FormPage[Visit]):
    """/profile/password."""

    template = "password.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """One's own."""
        del visit, form
        return {"whose": "", "rule": RULE_OF_PASSWORDS, "back": "/profile"}

    def act(self, visit: Visit, form: Form) -> None:
        """Change it; every session ends, this one too."""
        body = {"old_password": form.raw("old_password"), "new_password": new_password(form)}
        visit.api.send("PUT", f"/users/{visit.req.caller.id}/password", body)
        self.go(visit, "/sign-in", "Your password is changed. Sign in with the new one.")


class NewToken(SignedIn, FormPage[Visit]):
    """/profile/tokens/new."""

    template = "token_new.html"

    def act(self, visit: Visit, form: Form) -> None:
        """Make it, and show it this once."""
        name = form.text("client_id")
        token = visit.api.send("POST", _tokens(visit), {"client_id": name}).content["refresh_token"]
        entry = {"auth": b64encode(f"{visit.req.caller.name}:".encode()).decode(), "identitytoken": token}
        visit.resp.set_header("Cache-Control", "no-store")
        self.portal.show(
            visit.req, visit.resp, "token_made.html", name=name, token=token, service=TOKEN_SERVICE,
            login_file=json.dumps({"auths": {visit.req.get_header("Host") or "": entry}}),
        )  # fmt: skip


class RevokeToken(SignedIn, FormPage[Visit]):
    """/profile/tokens/{token}/revoke; `all` revokes every one."""

    template = "tokens_revoke.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What is revoked."""
        del form
        token = visit.parts["token"]
        found = visit.api.listed(_tokens(visit), page_size=_TOLD, q="" if token == _ALL else f"id={quote(token)}")
        return {"chosen": found.items, "total": found.total}

    def act(self, visit: Visit, form: Form) -> None:
        """Revoke."""
        del form
        token = visit.parts["token"]
        everything = token == _ALL
        visit.api.send("DELETE", _tokens(visit) + ("" if everything else f"/{segment(token)}"))
        self.go(
            visit, "/profile", "All refresh tokens are revoked." if everything else "The refresh token is revoked."
        )


def in_directory(api: Api, account: dict[str, Any]) -> bool:
    """Whether an account is kept in the directory: then all are but the first administrator's.

    The kind of login can only be changed while there is no other account.
    """
    return bool(account["user_id"] != _FIRST_ADMIN and api.get("/systeminfo")["auth_mode"] == "ldap_auth")


def profile_body(form: Form) -> dict[str, str]:
    """What the API takes of a profile."""
    return {name: form.text(name) for name in ("email", "realname", "comment")}


def account_form(account: dict[str, Any]) -> Form:
    """The form of an account as it is."""
    return filled({name: account.get(name, "") for name in ("email", "realname", "comment")})


def new_password(form: Form) -> str:
    """The one that was typed twice. Raises BadForm."""
    new = form.raw("new_password")
    if new != form.raw("again"):
        raise BadForm("the two entries of the new password differ")
    return new


def _tokens(visit: Visit) -> str:
    return f"/users/{visit.req.caller.id}/refresh_tokens"
