"""The rules that make tags of a project immutable, in plain sentences."""

from abc import abstractmethod
from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.selectors import Json, patterns_said, rows_of, selected, shown_rows
from gateway.portal.pages.sheets import FormPage, Question, QuestionPage, filled
from gateway.portal.portal import page
from shared.errors import NotFound


class ImmutableTags(ActingPage):
    """/projects/{project}/immutable-tags."""

    needed = ("immutable-tag", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The rules in the order in which they were made, or as asked."""
        visit, state = self.visit(req, resp, project=project), list_state(req, sorts=("id", "pattern", "disabled"))
        found = visit.api.listed(
            f"{visit.place}/immutabletagrules", page=state.page, page_size=state.page_size, sort=state.sort,
            q=fuzzy("pattern", state.search),
        )  # fmt: skip
        self.portal.show(
            req, resp, "immutable_tags.html", block="list", project=visit.project, state=state, total=found.total,
            rules=[rule | {"said": sentence(rule)} for rule in found.items],
        )  # fmt: skip


class RuleForm(ActingPage, FormPage[ProjectVisit]):
    """What a rule says, and a trial of it that tells which tags it would hold."""

    template = "immutable_rule.html"

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What it can say, and what came of a trial."""
        return {
            "rule": _rule(visit) if "rule" in visit.parts else None, "held": None,
            "back": f"{visit.project.path}/immutable-tags", **shown_rows(form),
        }  # fmt: skip

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Try it, or keep it."""
        if form.text("do") == "try":
            held = visit.api.send("POST", f"{visit.place}/immutabletagrules/trial", selected(form)).content
            self.show(visit, form, held=held)
            return
        self.keep(visit, form)

    @abstractmethod
    def keep(self, visit: ProjectVisit, form: Form) -> None:
        """Put it in force, and go on."""


class NewImmutableRule(RuleForm):
    """/projects/{project}/immutable-tags/new."""

    needed = ("immutable-tag", "create")

    def keep(self, visit: ProjectVisit, form: Form) -> None:
        """Make it."""
        visit.api.send("POST", f"{visit.place}/immutabletagrules", selected(form))
        self.go(visit, "/immutable-tags", "The rule is in force.")


class EditImmutableRule(RuleForm):
    """/projects/{project}/immutable-tags/{rule}/edit."""

    needed = ("immutable-tag", "update")

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        return filled(rows_of(_rule(visit)))

    def keep(self, visit: ProjectVisit, form: Form) -> None:
        """Put it in the old one's place."""
        _put(visit, selected(form) | {"disabled": _rule(visit)["disabled"]})
        self.go(visit, "/immutable-tags", "The rule is changed.")


class SwitchImmutableRule(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/immutable-tags/{rule}/switch: disabled if it is in force, else in force."""

    needed = ("immutable-tag", "update")

    def question(self, visit: ProjectVisit) -> Question:
        """What can be done to tags then."""
        rule = _rule(visit)
        verb = "Enable rule" if rule["disabled"] else "Disable rule"
        then = (
            "From then on nobody can overwrite or delete them."
            if rule["disabled"]
            else "While it is disabled, they can be overwritten and deleted, unless another rule holds them."
        )
        return Question(
            title=f"{verb}?", lines=[sentence(rule), then], verb=verb, kind="" if rule["disabled"] else "danger",
            back=f"{visit.project.path}/immutable-tags", hidden={"disabled": str(rule["disabled"])},
        )  # fmt: skip

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Switch it."""
        rule = _rule(visit)
        if form.text("disabled") != str(rule["disabled"]):
            raise Refused(409, "CONFLICT", "Somebody has switched it meanwhile: open the page again.")
        _put(visit, rule | {"disabled": not rule["disabled"]})
        return f"The rule is {'in force' if rule['disabled'] else 'disabled'}."


class DeleteImmutableRule(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/immutable-tags/{rule}/delete."""

    needed = ("immutable-tag", "delete")

    def question(self, visit: ProjectVisit) -> Question:
        """What can be done to tags then."""
        lines = [
            sentence(_rule(visit)),
            "Without it they can be overwritten and deleted, unless another rule holds them.",
        ]
        return Question(
            title="Delete rule?", lines=lines, verb="Delete rule", back=f"{visit.project.path}/immutable-tags"
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Delete it."""
        del form
        visit.api.send("DELETE", f"{visit.place}/immutabletagrules/{visit.parts['rule']}")
        return "The rule is deleted."


def sentence(rule: Json) -> str:
    """A rule in plain words."""
    repositories = patterns_said(rule["scope_selectors"].get("repository", []))
    return f"In repositories {repositories}, tags {patterns_said(rule['tag_selectors'])} cannot be changed or deleted."


def _rule(visit: ProjectVisit) -> Json:
    """The rule of the address. Raises NotFound."""
    found = visit.api.listed(f"{visit.place}/immutabletagrules", q=f"id={visit.parts['rule']}").items
    if not found:
        raise NotFound
    return found[0]


def _put(visit: ProjectVisit, rule: Json) -> None:
    body = {name: rule[name] for name in ("disabled", "scope_selectors", "tag_selectors")}
    visit.api.send("PUT", f"{visit.place}/immutabletagrules/{visit.parts['rule']}", body)
