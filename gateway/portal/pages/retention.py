"""The retention policy of a project: its rules in plain sentences, its schedule, and how it is run."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import BadForm, Refused
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.selectors import Json, patterns_said, print_of, rows_of, selected, shown_rows, takes_untagged
from gateway.portal.pages.sheets import DeedPage, FormPage, Question, QuestionPage, filled
from gateway.portal.portal import page
from shared.errors import NotFound

_STATUSES: Final = {"": "All", "Running": "Running", "Success": "Done", "Error": "Failed", "Stopped": "Stopped"}
_RUN_ORDERS: Final = ("-id", "dry_run", "status", "trigger", "start_time", "end_time")
UNDER_WAY: Final = frozenset({"Pending", "Running"})
_SENTENCES: Final = {
    "latestPushedK": "keep the {} most recently pushed artifacts",
    "latestPulledN": "keep the {} most recently pulled artifacts",
    "nDaysSinceLastPush": "keep the artifacts pushed within the last {} days",
    "nDaysSinceLastPull": "keep the artifacts pulled within the last {} days",
    "always": "keep all artifacts",
}
SCHEDULES: Final = {
    "": "Never by itself", "0 0 * * * *": "Every hour", "0 0 0 * * *": "Every day at midnight, UTC",
    "0 0 0 * * 0": "Every Sunday at midnight, UTC",
}  # fmt: skip
_OWN: Final = "own"
_CHANGED: Final = "Somebody has changed the rules meanwhile: open the page again, and look before you repeat it."


class Retention(ActingPage):
    """/projects/{project}/retention."""

    needed = ("tag-retention", "read")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """Rules, schedule and runs."""
        visit, state = self.visit(req, resp, project=project), list_state(req, sorts=_RUN_ORDERS, filters=("status",))
        policy, runs, total = policy_of(visit), [], 0
        wanted = state.filters["status"]
        if policy is not None:
            found = visit.api.listed(
                f"/retentions/{policy['id']}/executions", page=state.page, page_size=state.page_size,
                sort=state.sort, q=f"status={wanted}" if wanted in _STATUSES and wanted else "",
            )  # fmt: skip
            runs, total = found.items, found.total
        cron = policy["trigger"]["settings"].get("cron", "") if policy else ""
        self.portal.show(
            req, resp, "retention.html", block="list", project=visit.project, state=state, runs=runs, total=total,
            statuses=_STATUSES,
            rules=[rule | {"said": sentence(rule)} for rule in policy["rules"]] if policy else [],
            schedule=SCHEDULES.get(cron) or f"By the cron expression {cron}, in UTC", cron=cron,
            next_at=policy["trigger"]["settings"].get("next_scheduled_time") if policy else None,
            live=any(run["status"] in UNDER_WAY for run in runs),
        )  # fmt: skip


class NewRule(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/retention/rules/new."""

    needed = ("tag-retention", "update")
    template = "retention_rule.html"

    def first(self, visit: ProjectVisit) -> Form:
        """The usual one."""
        del visit
        return filled({"template": "latestPushedK", "number": 10, "untagged": "on"})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What rules can be made of."""
        return _choices(visit, form) | {"rule": None}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Add it to the policy, which is made with its first rule."""
        policy = policy_of(visit)
        rule = _rule(form)
        if policy is None:
            visit.api.send("POST", "/retentions", _body(visit, [rule], ""))
        else:
            _put(visit, policy, [*policy["rules"], rule])
        self.go(visit, "/retention", "The rule is added.")


class EditRule(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/retention/rules/{rule}/edit."""

    needed = ("tag-retention", "update")
    template = "retention_rule.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        rule = _rule_of(visit)[1]
        number = next(iter(rule["params"].values()), "")
        return filled({"template": rule["template"], "number": number, "was": print_of(rule), **rows_of(rule)})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What rules can be made of."""
        return _choices(visit, form) | {"rule": _rule_of(visit)[1]}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Put it in the old one's place."""
        policy, old = _rule_of(visit, form)
        changed = _rule(form) | {"disabled": old["disabled"], "priority": old["priority"]}
        _put(visit, policy, [changed if rule["id"] == old["id"] else rule for rule in policy["rules"]])
        self.go(visit, "/retention", "The rule is changed.")


class SwitchRule(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/retention/rules/{rule}/switch: disabled if it is in force, else in force."""

    needed = ("tag-retention", "update")

    def question(self, visit: ProjectVisit) -> Question:
        """What that means for what it keeps."""
        rule = _rule_of(visit)[1]
        lines = [sentence(rule)]
        if rule["disabled"]:
            lines.append("It takes effect in the next run.")
        else:
            lines.append(
                "While it is disabled, runs delete what it alone keeps, where another rule is about the repository."
            )
        verb = "Enable rule" if rule["disabled"] else "Disable rule"
        return Question(
            title=f"{verb}?", lines=lines, verb=verb, kind="" if rule["disabled"] else "danger",
            back=f"{visit.project.path}/retention", hidden={"was": print_of(rule)},
        )  # fmt: skip

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Switch it."""
        policy, old = _rule_of(visit, form)
        changed = old | {"disabled": not old["disabled"]}
        _put(visit, policy, [changed if rule["id"] == old["id"] else rule for rule in policy["rules"]])
        return f"The rule is {'disabled' if changed['disabled'] else 'in force'}."


class RemoveRule(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/retention/rules/{rule}/remove."""

    needed = ("tag-retention", "update")

    def question(self, visit: ProjectVisit) -> Question:
        """What it keeps until then."""
        rule = _rule_of(visit)[1]
        lines = [
            sentence(rule),
            "Without it, the next run deletes what it alone keeps, where another rule is about the repository.",
        ]
        return Question(
            title="Remove rule?", lines=lines, verb="Remove rule", back=f"{visit.project.path}/retention",
            hidden={"was": print_of(rule)},
        )  # fmt: skip

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Remove it."""
        policy, old = _rule_of(visit, form)
        _put(visit, policy, [rule for rule in policy["rules"] if rule["id"] != old["id"]])
        return "The rule is removed."


class Schedule(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/retention/schedule."""

    needed = ("tag-retention", "update")
    template = "retention_schedule.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        cron = existing_policy(visit)["trigger"]["settings"].get("cron", "")
        return filled({"schedule": cron if cron in SCHEDULES else _OWN, "cron": "" if cron in SCHEDULES else cron})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """The usual times."""
        del form
        return {"schedules": SCHEDULES, "back": f"{visit.project.path}/retention"}

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Set it."""
        policy = existing_policy(visit)
        cron = form.text("cron") if form.text("schedule") == _OWN else form.text("schedule")
        if form.text("schedule") == _OWN and not cron:
            raise BadForm("say when, as six fields: second minute hour day month weekday")
        visit.api.send("PUT", f"/retentions/{policy['id']}", _body(visit, policy["rules"], cron))
        self.go(visit, "/retention", f"Retention runs: {SCHEDULES.get(cron, cron)}.")


class DryRun(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/retention/dry-run."""

    needed = ("tag-retention", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Find out what would go; nothing does."""
        path = f"/retentions/{existing_policy(visit)['id']}/executions"
        number = visit.api.send("POST", path, {"dry_run": True}).number
        return f"/retention/runs/{number}", "The dry run has begun. It deletes nothing."


class Run(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/retention/run."""

    needed = ("tag-retention", "update")

    def question(self, visit: ProjectVisit) -> Question:
        """What goes."""
        rules = [rule for rule in existing_policy(visit)["rules"] if not rule["disabled"]]
        lines = [
            "In each repository that a rule is about, whatever no rule keeps is deleted with all its tags, for good.",
            "What has an immutable tag stays.",
            *(sentence(rule) for rule in rules),
            "A dry run tells beforehand what would go.",
        ]
        if not rules:
            lines = ["No rule is in force: nothing will be deleted."]
        return Question(
            title="Run retention now?", lines=lines, verb="Run and delete", back=f"{visit.project.path}/retention"
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Run it."""
        del form
        visit.api.send("POST", f"/retentions/{existing_policy(visit)['id']}/executions", {"dry_run": False})
        return "Retention runs. The list below follows it."


def sentence(rule: Json) -> str:
    """A rule in plain words."""
    number = next(iter(rule["params"].values()), "")
    kept = _SENTENCES.get(rule["template"], f"keep by {rule['template']} {{}}").format(number)
    repositories = patterns_said(rule["scope_selectors"].get("repository", []))
    tags = rule["tag_selectors"]
    also = ", those without a tag among them" if takes_untagged(tags) else ""
    return f"In repositories {repositories}, {kept} with tags {patterns_said(tags)}{also}."


def policy_of(visit: ProjectVisit) -> Json | None:
    """The project's policy; None where it has none yet."""
    number = visit.project.shown["metadata"].get("retention_id")
    policy: Json | None = visit.api.get(f"/retentions/{int(number)}") if number else None
    return policy


def existing_policy(visit: ProjectVisit) -> Json:
    """The project's policy. Raises NotFound where it has none yet."""
    policy = policy_of(visit)
    if policy is None:
        raise NotFound
    return policy


def _rule_of(visit: ProjectVisit, form: Form | None = None) -> tuple[Json, Json]:
    """The policy and the rule at the place of the address, the one that a form has seen. Raises NotFound, Refused."""
    policy, place = existing_policy(visit), visit.parts["rule"]
    if place >= len(policy["rules"]):
        raise NotFound
    rule: Json = policy["rules"][place]
    if form is not None and form.text("was") != print_of(rule):
        raise Refused(409, "CONFLICT", _CHANGED)
    return policy, rule


def _rule(form: Form) -> Json:
    template = form.text("template")
    params = {} if template == "always" else {template: form.number("number")}
    return {
        "action": "retain", "template": template, "params": params, "disabled": False, "priority": 0,
        **selected(form, untagged=form.flag("untagged")),
    }  # fmt: skip


def _choices(visit: ProjectVisit, form: Form) -> dict[str, Any]:
    offered = visit.api.get("/retentions/metadatas")["templates"]
    said = {each["rule_template"]: _SENTENCES.get(each["rule_template"], each["display_text"]) for each in offered}
    templates = [(key, text.format("…").capitalize()) for key, text in said.items()]
    return {"templates": templates, "back": f"{visit.project.path}/retention", **shown_rows(form)}


def _body(visit: ProjectVisit, rules: list[Json], cron: str) -> Json:
    return {
        "algorithm": "or",
        "rules": [{name: value for name, value in rule.items() if name != "id"} for rule in rules],
        "trigger": {"kind": "Schedule", "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": visit.project.number},
    }


def _put(visit: ProjectVisit, policy: Json, rules: list[Json]) -> None:
    cron = policy["trigger"]["settings"].get("cron", "")
    visit.api.send("PUT", f"/retentions/{policy['id']}", _body(visit, rules, cron))
