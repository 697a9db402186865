"""Labels that can be put on artifacts of every project."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit, filled
from gateway.portal.portal import Page

_BACK: Final = "/admin/labels"
_FIRST_COLOR: Final = "#0065ab"
_FIELDS: Final = ("name", "description", "color")


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


class NewGlobalLabel(ForAdministrators, FormPage[Visit]):
    """/admin/labels/new."""

    template = "global_label_form.html"

    def first(self, visit: Visit) -> Form:
        """A blue one."""
        del visit
        return filled({"color": _FIRST_COLOR})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """It is none yet."""
        del visit, form
        return {"edited": ""}

    def act(self, visit: Visit, form: Form) -> None:
        """Make it."""
        visit.api.send("POST", "/labels", _body(form) | {"scope": "g"})
        self.go(visit, _BACK, f"Label {form.text('name')} is made.")


class EditGlobalLabel(ForAdministrators, FormPage[Visit]):
    """/admin/labels/{label_id}/edit."""

    template = "global_label_form.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        label = _label(visit)
        return filled({name: label.get(name) or "" for name in _FIELDS})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """Which label it is."""
        del form
        return {"edited": _label(visit)["name"]}

    def act(self, visit: Visit, form: Form) -> None:
        """Change it."""
        visit.api.send("PUT", f"/labels/{_label(visit)['id']}", _body(form))
        self.go(visit, _BACK, f"Label {form.text('name')} is changed.")


class DeleteGlobalLabel(ForAdministrators, QuestionPage[Visit]):
    """/admin/labels/{label_id}/delete."""

    def question(self, visit: Visit) -> Question:
        """What goes."""
        lines = (
            "It is taken off every artifact that bears it, in all projects.",
            "Rules of replication that choose artifacts by it choose none any more.",
        )
        title = f"Delete the label {_label(visit)['name']}"
        return Question(title=title, lines=lines, verb="Delete label", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Delete it."""
        del form
        label = _label(visit)
        visit.api.send("DELETE", f"/labels/{label['id']}")
        return f"Label {label['name']} is deleted."


def _label(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"/labels/{segment(visit.parts['label_id'])}")
    return found


def _body(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in _FIELDS}
