"""Labels that can be put on artifacts of every project."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import AskedPage, Question, admin_page, show_sheet
from gateway.portal.portal import Page

_BACK: Final = "/admin/labels"
_FIRST_COLOR: Final = "#0065ab"


class GlobalLabels(Page):
    """/admin/labels."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them."""
        state = list_state(req, sorts=("name", "description", "creation_time"))
        found = self.portal.api(req).listed(
            "/labels", scope="g", page=state.page, page_size=state.page_size, sort=state.sort, name=state.search
        )
        self.portal.show(
            req, resp, "global_labels.html", block="list", state=state, labels=found.items, total=found.total
        )


class NewGlobalLabel(Page):
    """/admin/labels/new."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The empty form."""
        _show(self, req, resp, Form({"color": [_FIRST_COLOR]}))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Make it. Raises ForeignForm, BadForm."""
        form = read_form(req)
        try:
            self.portal.api(req).send("POST", "/labels", _body(form) | {"scope": "g"})
        except Refused as refused:
            _show(self, req, resp, form, refused=refused)
        else:
            self.portal.go(req, resp, _BACK, f"Label {form.text('name')} is made.")


class EditGlobalLabel(Page):
    """/admin/labels/{label_id}/edit."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, label_id: str) -> None:
        """The form with what is so now. Raises Refused."""
        label = _label(self.portal.api(req), label_id)
        form = Form({name: [label.get(name) or ""] for name in ("name", "description", "color")})
        _show(self, req, resp, form, label["name"])

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, label_id: str) -> None:
        """Change it. Raises ForeignForm, BadForm, Refused."""
        form = read_form(req)
        api = self.portal.api(req)
        label = _label(api, label_id)
        try:
            api.send("PUT", f"/labels/{label['id']}", _body(form))
        except Refused as refused:
            _show(self, req, resp, form, label["name"], refused)
        else:
            self.portal.go(req, resp, _BACK, f"Label {form.text('name')} is changed.")


class DeleteGlobalLabel(AskedPage):
    """/admin/labels/{label_id}/delete."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What goes. Raises Refused."""
        label = _label(self.portal.api(req), parts["label_id"])
        told = (
            "It is taken off every artifact that bears it, in all projects.",
            "Rules of replication that choose artifacts by it choose none any more.",
        )
        return Question(title=f"Delete the label {label['name']}", told=told, verb="Delete label", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Delete. Raises Refused."""
        api = self.portal.api(req)
        label = _label(api, parts["label_id"])
        api.send("DELETE", f"/labels/{label['id']}")
        return f"Label {label['name']} is deleted."


def _label(api: Api, label_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/labels/{segment(label_id)}")
    return found


def _body(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in ("name", "description", "color")}


def _show(
    shown: Page, req: ApiRequest, resp: ApiResponse, form: Form, edited: str = "", refused: Refused | None = None
) -> None:
    show_sheet(shown, req, resp, "global_label_form.html", refused, form=form, edited=edited)
