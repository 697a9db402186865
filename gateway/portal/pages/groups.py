"""Groups of the directory that are known here, and can be members of projects."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import AskedPage, Question, admin_page, show_sheet
from gateway.portal.portal import Page

LDAP_GROUP = 1
_BACK = "/admin/groups"


class Groups(Page):
    """/admin/groups."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them, by name."""
        state = list_state(req, sorts=("group_name",))
        api = self.portal.api(req)
        found = api.listed(
            "/usergroups", page=state.page, page_size=state.page_size, group_name=state.search
        )
        self.portal.show(
            req, resp, "groups.html", block="list", state=state, groups=found.items, total=found.total,
            by_directory=api.get("/systeminfo")["auth_mode"] == "ldap_auth",
        )  # fmt: skip


class NewGroup(Page):
    """/admin/groups/new."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The empty form."""
        show_sheet(self, req, resp, "group_new.html", form=Form())

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make it known. Raises ForeignForm, BadForm."""
        form = read_form(req)
        body = {"group_type": LDAP_GROUP, "ldap_group_dn": form.text("dn")}
        try:
            self.portal.api(req).send("POST", "/usergroups", body)
        except Refused as refused:
            show_sheet(self, req, resp, "group_new.html", refused, form=form)
        else:
            self.portal.go(req, resp, _BACK, "The group is imported.")


class RenameGroup(Page):
    """/admin/groups/{group_id}/rename."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, group_id: str) -> None:
        """The form. Raises Refused."""
        group = _group(self.portal.api(req), group_id)
        show_sheet(self, req, resp, "group_rename.html", group=group, name=group["group_name"])

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, group_id: str) -> None:
        """Give it the name. Raises ForeignForm, BadForm, Refused."""
        name = read_form(req).text("name")
        api = self.portal.api(req)
        group = _group(api, group_id)
        try:
            api.send("PUT", f"/usergroups/{group['id']}", {"group_name": name})
        except Refused as refused:
            show_sheet(self, req, resp, "group_rename.html", refused, group=group, name=name)
        else:
            self.portal.go(req, resp, _BACK, f"The group is now named {name}.")


class DeleteGroup(AskedPage):
    """/admin/groups/{group_id}/delete."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What goes. Raises Refused."""
        group = _group(self.portal.api(req), parts["group_id"])
        told = (
            "The roles that it gives in projects are gone: its people keep only those that they have by themselves.",
            "The directory is not changed, and the group can be imported again; its roles have to be given anew.",
        )
        return Question(title=f"Delete the group {group['group_name']}", told=told, verb="Delete group", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Forget it. Raises Refused."""
        api = self.portal.api(req)
        group = _group(api, parts["group_id"])
        api.send("DELETE", f"/usergroups/{group['id']}")
        return f"The group {group['group_name']} is deleted."


def _group(api: Api, group_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/usergroups/{segment(group_id)}")
    return found
