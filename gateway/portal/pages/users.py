"""Users, for administrators."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import AskedPage, Question, admin_page, show_sheet
from gateway.portal.pages.profile import RULE_OF_PASSWORDS, account_form, in_directory, profile_body
from gateway.portal.portal import Page

_BACK = "/admin/users"


class Users(Page):
    """/admin/users."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them."""
        state = list_state(
            req, sorts=("username", "realname", "email", "sysadmin_flag", "creation_time"), filters=("admins",)
        )
        terms = (fuzzy("username", state.search), "sysadmin_flag=true" if state.filters["admins"] else "")
        api = self.portal.api(req)
        found = api.listed(
            "/users", page=state.page, page_size=state.page_size, sort=state.sort, q=",".join(filter(None, terms))
        )
        self.portal.show(
            req, resp, "users.html", block="list", state=state, users=found.items, total=found.total,
            by_directory=_by_directory(api), own_id=req.caller.id,
        )  # fmt: skip


class NewUser(Page):
    """/admin/users/new."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The empty form."""
        self._show(req, resp, Form())

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make the account, and an administrator of it where that is asked for. Raises ForeignForm, BadForm."""
        form = read_form(req)
        name = form.text("username")
        api = self.portal.api(req)
        body = profile_body(form) | {"username": name, "password": form.raw("password")}
        try:
            made = api.send("POST", "/users", body)
        except Refused as refused:
            self._show(req, resp, form, refused)
            return
        told = f"User {name} is made."
        if form.flag("sysadmin"):
            try:
                api.send("PUT", f"/users/{made.number}/sysadmin", {"sysadmin_flag": True})
            except Refused as refused:
                told = f"User {name} is made, but is no system administrator: {refused.sentence}."
        self.portal.go(req, resp, _BACK, told)

    def _show(self, req: ApiRequest, resp: ApiResponse, form: Form, refused: Refused | None = None) -> None:
        show_sheet(
            self, req, resp, "user_new.html", refused, form=form, rule=RULE_OF_PASSWORDS,
            by_directory=_by_directory(self.portal.api(req)),
        )  # fmt: skip


class EditUser(Page):
    """/admin/users/{user_id}/edit."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """The form with what is so now. Raises Refused."""
        user = _user(self.portal.api(req), user_id)
        self._show(req, resp, user, account_form(user))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """Change it. Raises ForeignForm, BadForm, Refused."""
        form = read_form(req)
        api = self.portal.api(req)
        user = _user(api, user_id)
        try:
            api.send("PUT", f"/users/{user['user_id']}", profile_body(form))
        except Refused as refused:
            self._show(req, resp, user, form, refused)
        else:
            self.portal.go(req, resp, _BACK, f"The profile of {user['username']} is changed.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, user: dict[str, Any], form: Form, refused: Refused | None = None
    ) -> None:
        heading = f"Edit {user['username']}"
        show_sheet(self, req, resp, "account_edit.html", refused, form=form, heading=heading, back=_BACK)


class ResetPassword(Page):
    """/admin/users/{user_id}/password."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """The form. Raises Refused."""
        self._show(req, resp, _user(self.portal.api(req), user_id))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, user_id: str) -> None:
        """Set it. Raises ForeignForm, BadForm, Refused."""
        form = read_form(req)
        api = self.portal.api(req)
        user = _user(api, user_id)
        new = form.raw("new_password")
        if new != form.raw("again"):
            self._show(req, resp, user, Refused(400, "BAD_REQUEST", "the two entries of the new password differ"))
            return
        try:
            api.send("PUT", f"/users/{user['user_id']}/password", {"new_password": new})
        except Refused as refused:
            self._show(req, resp, user, refused)
        else:
            self.portal.go(req, resp, _BACK, f"The password of {user['username']} is reset.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, user: dict[str, Any], refused: Refused | None = None
    ) -> None:
        show_sheet(
            self, req, resp, "password.html", refused, whose=user["username"], rule=RULE_OF_PASSWORDS, back=_BACK
        )


class Administrator(AskedPage):
    """/admin/users/{user_id}/administrator: makes somebody one, or no longer one."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What it means. Raises Refused."""
        user = _user(self.portal.api(req), parts["user_id"])
        name = user["username"]
        ends = "Every session and remembered login of this account ends; the person signs in again."
        if not user["sysadmin_flag"]:
            gains = "System administrators may do everything in every project and to the system."
            return Question(
                title=f"Make {name} a system administrator", told=(gains, ends), verb="Make administrator",
                back=_BACK, danger=False,
            )  # fmt: skip
        told = ["Only the roles in projects remain.", ends]
        if user["user_id"] == req.caller.id:
            told.insert(0, "This is your own account: you lose access to these pages at once.")
        return Question(title=f"Take administration from {name}", told=told, verb="Take it away", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Turn the flag. Raises Refused."""
        api = self.portal.api(req)
        user = _user(api, parts["user_id"])
        wanted = not user["sysadmin_flag"]
        api.send("PUT", f"/users/{user['user_id']}/sysadmin", {"sysadmin_flag": wanted})
        return f"{user['username']} is {'now' if wanted else 'no longer'} a system administrator."


class DeleteUser(AskedPage):
    """/admin/users/{user_id}/delete."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What goes, and what stays. Raises Refused."""
        api = self.portal.api(req)
        user = _user(api, parts["user_id"])
        name, number = user["username"], user["user_id"]
        tokens = len(api.get(f"/users/{number}/refresh_tokens"))
        owned = api.listed("/projects", owner=name, page_size=1).total
        told = [
            "The account can no longer sign in, and its sessions end at once.",
            "Its roles in projects and its places in groups are gone.",
            f"Refresh tokens of docker clients that stop working: {tokens}.",
            f"Projects that it made, which stay with their members: {owned}.",
            "The audit record keeps what was done under this name. The name is free for a new account.",
        ]
        if in_directory(api, user):
            told.append("The directory is not changed: whoever may still sign in there gets a new account here.")
        return Question(title=f"Delete {name}", told=told, verb="Delete user", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Delete. Raises Refused."""
        api = self.portal.api(req)
        user = _user(api, parts["user_id"])
        api.send("DELETE", f"/users/{user['user_id']}")
        return f"User {user['username']} is deleted."


def _user(api: Api, user_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/users/{segment(user_id)}")
    return found


def _by_directory(api: Api) -> bool:
    return bool(api.get("/systeminfo")["auth_mode"] == "ldap_auth")
