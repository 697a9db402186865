"""Users, for administrators."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.profile import (
    RULE_OF_PASSWORDS,
    account_form,
    in_directory,
    new_password,
    profile_body,
)
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit
from gateway.portal.portal import Page

_BACK = "/admin/users"


class Users(Page):
    """/admin/users."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them."""
        state = list_state(
            req, sorts=("username", "realname", "email", "sysadmin_flag", "creation_time"),
            filters=("admins", "disabled"),
        )  # fmt: skip
        terms = (
            fuzzy("username", state.search),
            "sysadmin_flag=true" if state.filters["admins"] else "",
            "disabled=true" if state.filters["disabled"] else "",
        )
        api = self.portal.api(req)
        found = api.listed(
            "/users", page=state.page, page_size=state.page_size, sort=state.sort, q=",".join(filter(None, terms))
        )
        self.portal.show(
            req, resp, "users.html", block="list", state=state, users=found.items, total=found.total,
            by_directory=_by_directory(api), own_id=req.caller.id,
        )  # fmt: skip


class NewUser(ForAdministrators, FormPage[Visit]):
    """/admin/users/new."""

    template = "user_new.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What passwords have to be like, and whether accounts are kept in the directory."""
        del form
        return {"rule": RULE_OF_PASSWORDS, "by_directory": _by_directory(visit.api)}

    def act(self, visit: Visit, form: Form) -> None:
        """Make the account, and an administrator of it where that is asked for."""
        name = form.text("username")
        made = visit.api.send(
            "POST", "/users", profile_body(form) | {"username": name, "password": form.raw("password")}
        )
        told = f"User {name} is made."
        if form.flag("sysadmin"):
            try:
                visit.api.send("PUT", f"/users/{made.number}/sysadmin", {"sysadmin_flag": True})
            except Refused as refused:
                told = f"User {name} is made, but is no system administrator: {refused.sentence}."
        self.go(visit, _BACK, told)


class EditUser(ForAdministrators, FormPage[Visit]):
    """/admin/users/{user_id}/edit."""

    template = "account_edit.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        return account_form(_user(visit))

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """Whose profile it is."""
        del form
        return {"heading": f"Edit {_user(visit)['username']}", "back": _BACK}

    def act(self, visit: Visit, form: Form) -> None:
        """Change it."""
        user = _user(visit)
        visit.api.send("PUT", f"/users/{user['user_id']}", profile_body(form))
        self.go(visit, _BACK, f"The profile of {user['username']} is changed.")


class ResetPassword(ForAdministrators, FormPage[Visit]):
    """/admin/users/{user_id}/password."""

    template = "password.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """Whose password it is."""
        del form
        return {"whose": _user(visit)["username"], "rule": RULE_OF_PASSWORDS, "back": _BACK}

    def act(self, visit: Visit, form: Form) -> None:
        """Set it."""
        user = _user(visit)
        visit.api.send("PUT", f"/users/{user['user_id']}/password", {"new_password": new_password(form)})
        self.go(visit, _BACK, f"The password of {user['username']} is reset.")


class Administrator(ForAdministrators, QuestionPage[Visit]):
    """/admin/users/{user_id}/administrator: makes somebody one, or no longer one."""

    def question(self, visit: Visit) -> Question:
        """What it means."""
        user = _user(visit)
        name = user["username"]
        ends = "Every session and remembered login of this account ends; the person signs in again."
        if not user["sysadmin_flag"]:
            gains = "System administrators may do everything in every project and to the system."
            return Question(
                title=f"Make {name} a system administrator", lines=(gains, ends), verb="Make administrator",
                back=_BACK, kind="",
            )  # fmt: skip
        lines = ["Only the roles in projects remain.", ends]
        if user["user_id"] == visit.req.caller.id:
            lines.insert(0, "This is your own account: you lose access to these pages at once.")
        return Question(title=f"Take administration from {name}", lines=lines, verb="Take it away", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Turn the flag."""
        del form
        user = _user(visit)
        wanted = not user["sysadmin_flag"]
        visit.api.send("PUT", f"/users/{user['user_id']}/sysadmin", {"sysadmin_flag": wanted})
        return f"{user['username']} is {'now' if wanted else 'no longer'} a system administrator."


class DisableUser(ForAdministrators, QuestionPage[Visit]):
    """/admin/users/{user_id}/disable."""

    def question(self, visit: Visit) -> Question:
        """What ends, and what stays."""
        user = _user(visit)
        tokens = len(visit.api.get(f"/users/{user['user_id']}/refresh_tokens"))
        lines = (
            "The account can no longer sign in: not here, not with a docker client, not to the API.",
            "Its sessions end at once. A registry token that a client has already lives for at most its five minutes.",
            f"Refresh tokens of docker clients that stop working, for good: {tokens}.",
            "Its roles in projects and its places in groups stay for when it is enabled again.",
            "Robot accounts that it made go on working.",
        )
        return Question(title=f"Disable {user['username']}", lines=lines, verb="Disable user", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Shut the account out."""
        del form
        return f"User {_set_disabled(visit, flag=True)} is disabled."


class EnableUser(ForAdministrators, QuestionPage[Visit]):
    """/admin/users/{user_id}/enable."""

    def question(self, visit: Visit) -> Question:
        """What is so again, and what is not."""
        user = _user(visit)
        whose = "the directory." if in_directory(visit.api, user) else "before."
        lines = [
            f"The account can sign in again, with the password of {whose}",
            "Its roles in projects are those that it had.",
            "Its sessions and refresh tokens stay void: docker clients sign in again.",
        ]
        if user["sysadmin_flag"]:
            lines.append("It is a system administrator.")
        return Question(
            title=f"Enable {user['username']}", lines=lines, verb="Enable user", back=_BACK, kind=""
        )

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Let the account in."""
        del form
        return f"User {_set_disabled(visit, flag=False)} is enabled."


class DeleteUser(ForAdministrators, QuestionPage[Visit]):
    """/admin/users/{user_id}/delete."""

    def question(self, visit: Visit) -> Question:
        """What goes, and what stays."""
        user = _user(visit)
        name, number = user["username"], user["user_id"]
        tokens = len(visit.api.get(f"/users/{number}/refresh_tokens"))
        owned = visit.api.listed("/projects", owner=name, page_size=1).total
        lines = [
            "The account can no longer sign in, and its sessions end at once.",
            "Its roles in projects and its places in groups are gone.",
            f"Refresh tokens of docker clients that stop working: {tokens}.",
            f"Projects that it made, which stay with their members: {owned}.",
            "The audit record keeps what was done under this name. The name is free for a new account.",
        ]
        if in_directory(visit.api, user):
            lines.append("The directory is not changed: whoever may still sign in there gets a new account here.")
        return Question(title=f"Delete {name}", lines=lines, verb="Delete user", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Delete it."""
        del form
        user = _user(visit)
        visit.api.send("DELETE", f"/users/{user['user_id']}")
        return f"User {user['username']} is deleted."


def _user(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"/users/{segment(visit.parts['user_id'])}")
    return found


def _set_disabled(visit: Visit, *, flag: bool) -> str:
    """Turn it; the account's name."""
    user = _user(visit)
    visit.api.send("PUT", f"/users/{user['user_id']}/disabled", {"disabled": flag})
    return str(user["username"])


def _by_directory(api: Api) -> bool:
    return bool(api.get("/systeminfo")["auth_mode"] == "ldap_auth")
