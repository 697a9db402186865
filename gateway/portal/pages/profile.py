"""Somebody's own account: profile, password, what docker clients remember of it, and the roles it has."""

from typing import Any, Final

from gateway.core.access import require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.pages.administration import show_sheet
from gateway.portal.pages.projects import ROLES
from gateway.portal.portal import Page, page

RULE_OF_PASSWORDS: Final = "8 to 128 characters, with an upper case letter, a lower case letter and a digit among them."
_FIRST_ADMIN: Final = 1
_PAGE: Final = 100
_ALL: Final = "all"


class Profile(Page):
    """/profile."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The account of whoever looks."""
        require_login(req)
        api = self.portal.api(req)
        account = api.get("/users/current")
        roles = api.listed("/users/current/roles", page_size=_PAGE, sort="name")
        self.portal.show(
            req, resp, "profile.html", block="list", account=account, in_directory=in_directory(api, account),
            tokens=api.get(f"/users/{account['user_id']}/refresh_tokens"),
            roles=[(each["project_name"], ROLES[each["role_id"]]) for each in roles.items],
            more_projects=roles.total > len(roles.items),
        )  # fmt: skip


class EditProfile(Page):
    """/profile/edit."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The form with what is so now."""
        require_login(req)
        account = self.portal.api(req).get("/users/current")
        self._show(req, resp, account_form(account))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Change it. Raises ForeignForm, BadForm."""
        form = read_form(req)
        api = self.portal.api(req)
        number = require_login(req).id
        try:
            api.send("PUT", f"/users/{number}", profile_body(form))
        except Refused as refused:
            self._show(req, resp, form, refused)
        else:
            self.portal.go(req, resp, "/profile", "Your profile is changed.")

    def _show(self, req: ApiRequest, resp: ApiResponse, form: Form, refused: Refused | None = None) -> None:
        show_sheet(
            self, req, resp, "account_edit.html", refused, form=form, heading="Edit your profile", back="/profile"
        )


class ChangePassword(Page):
    """/profile/password."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The form."""
        require_login(req)
        self._show(req, resp)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Change it; every session ends, this one too. Raises ForeignForm, BadForm."""
        form = read_form(req)
        number = require_login(req).id
        old, new = form.raw("old_password"), form.raw("new_password")
        if new != form.raw("again"):
            self._show(req, resp, Refused(400, "BAD_REQUEST", "the two entries of the new password differ"))
            return
        body = {"old_password": old, "new_password": new}
        try:
            self.portal.api(req).send("PUT", f"/users/{number}/password", body)
        except Refused as refused:
            self._show(req, resp, refused)
        else:
            self.portal.go(req, resp, "/sign-in", "Your password is changed. Sign in with the new one.")

    def _show(self, req: ApiRequest, resp: ApiResponse, refused: Refused | None = None) -> None:
        show_sheet(self, req, resp, "password.html", refused, whose="", rule=RULE_OF_PASSWORDS, back="/profile")


class RevokeToken(Page):
    """/profile/tokens/{token}/revoke; `all` revokes every one."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, token: str) -> None:
        """Ask. Raises Refused."""
        require_login(req)
        self._show(req, resp, token)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, token: str) -> None:
        """Revoke. Raises ForeignForm, BadForm."""
        read_form(req)
        number = require_login(req).id
        everything = token == _ALL
        which = "" if everything else f"/{segment(token)}"
        try:
            self.portal.api(req).send("DELETE", f"/users/{number}/refresh_tokens{which}")
        except Refused as refused:
            self._show(req, resp, token, refused)
        else:
            told = "All refresh tokens are revoked." if everything else "The refresh token is revoked."
            self.portal.go(req, resp, "/profile", told)

    def _show(self, req: ApiRequest, resp: ApiResponse, token: str, refused: Refused | None = None) -> None:
        number = require_login(req).id
        tokens = self.portal.api(req).get(f"/users/{number}/refresh_tokens")
        chosen = [each for each in tokens if token in {_ALL, each["id"]}]
        show_sheet(self, req, resp, "tokens_revoke.html", refused, chosen=chosen)


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
    return Form({name: [str(account.get(name, ""))] for name in ("email", "realname", "comment")})
