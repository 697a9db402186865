"""Groups of the directory that are known here, and can be members of projects."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit, filled
from gateway.portal.portal import Page

LDAP_GROUP = 1
_BACK = "/admin/groups"


class Groups(Page):
    """/admin/groups."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them, by name or as asked."""
        state = list_state(req, sorts=("group_name", "ldap_group_dn"))
        api = self.portal.api(req)
        found = api.listed(
            "/usergroups", page=state.page, page_size=state.page_size, sort=state.sort, group_name=state.search
        )
        self.portal.show(
            req, resp, "groups.html", block="list", state=state, groups=found.items, total=found.total,
            by_directory=api.get("/systeminfo")["auth_mode"] == "ldap_auth",
        )  # fmt: skip


class NewGroup(ForAdministrators, FormPage[Visit]):
    """/admin/groups/new."""

    template = "group_new.html"

    def act(self, visit: Visit, form: Form) -> None:
        """Make it known."""
        visit.api.send("POST", "/usergroups", {"group_type": LDAP_GROUP, "ldap_group_dn": form.text("dn")})
        self.go(visit, _BACK, "The group is imported.")


class RenameGroup(ForAdministrators, FormPage[Visit]):
    """/admin/groups/{group_id}/rename."""

    template = "group_rename.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        return filled({"name": _group(visit)["group_name"]})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """Which group it is."""
        del form
        return {"group": _group(visit)}

    def act(self, visit: Visit, form: Form) -> None:
        """Give it the name."""
        group, name = _group(visit), form.text("name")
        visit.api.send("PUT", f"/usergroups/{group['id']}", {"group_name": name})
        self.go(visit, _BACK, f"The group is now named {name}.")


class DeleteGroup(ForAdministrators, QuestionPage[Visit]):
    """/admin/groups/{group_id}/delete."""

    def question(self, visit: Visit) -> Question:
        """What goes."""
        lines = (
            "The roles that it gives in projects are gone: its people keep only those that they have by themselves.",
            "The directory is not changed, and the group can be imported again; its roles have to be given anew.",
        )
        title = f"Delete the group {_group(visit)['group_name']}"
        return Question(title=title, lines=lines, verb="Delete group", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Forget it."""
        del form
        group = _group(visit)
        visit.api.send("DELETE", f"/usergroups/{group['id']}")
        return f"The group {group['group_name']} is deleted."


def _group(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"/usergroups/{segment(visit.parts['group_id'])}")
    return found
