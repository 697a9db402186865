"""The labels of a project: words with a colour that people put on artifacts."""

import re
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import FormPage, Question, QuestionPage, filled
from gateway.portal.portal import page
from shared.errors import NotFound

PALETTE: Final = {
    "#0065AB": "Blue", "#343DAC": "Indigo", "#781DA0": "Purple", "#C92100": "Red", "#C25400": "Orange",
    "#FFDC0B": "Yellow", "#48960C": "Green", "#006668": "Teal", "#61717D": "Grey", "#000000": "Black",
}  # fmt: skip
_OWN: Final = "own"
_FULL: Final = re.compile(r"#[0-9A-Fa-f]{6}")


class Labels(ActingPage):
    """/projects/{project}/labels."""

    needed = ("label", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The labels by name."""
        visit, state = self.visit(req, resp, project=project), list_state(req, sorts=("name", "-creation_time"))
        found = visit.api.listed(
            "/labels", scope="p", project_id=visit.project.number, page=state.page, page_size=state.page_size,
            sort=state.sort, name=state.search,
        )  # fmt: skip
        self.portal.show(
            req, resp, "labels.html", block="list", project=visit.project, state=state, labels=found.items,
            total=found.total,
        )  # fmt: skip


class NewLabel(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/labels/new."""

    needed = ("label", "create")
    template = "label_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """A blue one."""
        del visit
        return filled({"color": "#0065AB", "own": "#0065AB"})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """The colours to choose from."""
        del form
        return {"label": None, "palette": PALETTE, "back": f"{visit.project.path}/labels"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Make it."""
        visit.api.send("POST", "/labels", _text(form) | {"scope": "p", "project_id": visit.project.number})
        self.go(visit, "/labels", f"Label {form.text('name')} is made.")


class EditLabel(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/labels/{label}/edit."""

    needed = ("label", "update")
    template = "label_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        label = _label(visit)
        color = label["color"]
        own = color if _FULL.fullmatch(color) else "#0065AB"
        chosen = color.upper() if color.upper() in PALETTE else _OWN
        return filled({"name": label["name"], "description": label["description"], "color": chosen, "own": own})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """The colours to choose from."""
        del form
        return {"label": _label(visit), "palette": PALETTE, "back": f"{visit.project.path}/labels"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Change it."""
        visit.api.send("PUT", f"/labels/{_label(visit)['id']}", _text(form))
        self.go(visit, "/labels", f"Label {form.text('name')} is changed.")


class DeleteLabel(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/labels/{label}/delete."""

    needed = ("label", "delete")

    def question(self, visit: ProjectVisit) -> Question:
        """What it is taken off."""
        label = _label(visit)
        bearers = visit.api.listed(f"{visit.place}/artifacts", q=f"labels=({label['id']})", page_size=1).total
        borne = f"{bearers:,} artifact{'' if bearers == 1 else 's'}"
        line = f"It is taken off {borne}; nothing else of them changes." if bearers else "No artifact bears it."
        return Question(
            title=f"Delete label {label['name']}", lines=[line], verb="Delete label",
            back=f"{visit.project.path}/labels",
        )  # fmt: skip

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Delete it."""
        del form
        label = _label(visit)
        visit.api.send("DELETE", f"/labels/{label['id']}")
        return f"Label {label['name']} is deleted."


def _text(form: Form) -> dict[str, Any]:
    color = form.text("own") if form.text("color") == _OWN else form.text("color")
    return {"name": form.text("name"), "description": form.text("description"), "color": color}


def _label(visit: ProjectVisit) -> dict[str, Any]:
    """The label of the address. Raises NotFound for another project's, or a global one."""
    found: dict[str, Any] = visit.api.get(f"/labels/{visit.parts['label']}")
    if found["project_id"] != visit.project.number:
        raise NotFound
    return found
