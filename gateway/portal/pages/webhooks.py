"""The webhook policies of a project: what is told of its events, to whom, and in which form."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import DeedPage, FormPage, Question, QuestionPage, filled
from gateway.portal.portal import page

Json = dict[str, Any]
MASK: Final = "*****"
"""What the API shows in place of a secret, and takes for the one that is stored."""
EVENTS: Final = {
    "PUSH_ARTIFACT": "An artifact is pushed", "PULL_ARTIFACT": "An artifact is pulled",
    "DELETE_ARTIFACT": "An artifact is deleted", "QUOTA_WARNING": "The quota is nearly used up",
    "QUOTA_EXCEED": "A push is refused for want of quota", "REPLICATION": "A replication task ends",
    "TAG_RETENTION": "A run of retention ends",
}  # fmt: skip
"""In plain words; what nothing here ever tells, such as scans, is not offered."""
FORMATS: Final = {
    "http:Default": "HTTP, in Harbor's form", "http:CloudEvents": "HTTP, as CloudEvents", "slack:": "Slack",
}  # fmt: skip
_MOST_TARGETS: Final = 10
_OF_TARGET: Final = ("address", "format", "auth", "secret", "skip")


class Webhooks(ActingPage):
    """/projects/{project}/webhooks."""

    needed = ("notification-policy", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The policies."""
        visit = self.visit(req, resp, project=project)
        state = list_state(req, sorts=("name", "-creation_time"))
        found = visit.api.listed(
            f"{visit.place}/webhook/policies", page=state.page, page_size=state.page_size, sort=state.sort,
            q=fuzzy("name", state.search),
        )  # fmt: skip
        self.portal.show(
            req, resp, "webhooks.html", block="list", project=visit.project, state=state, policies=found.items,
            total=found.total, events=EVENTS,
        )  # fmt: skip


class NewWebhook(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/webhooks/new."""

    needed = ("notification-policy", "create")
    template = "webhook_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """One that tells of pushes."""
        del visit
        return filled({"event": "PUSH_ARTIFACT", "targets": 1, "format-0": "http:Default", "enabled": "on"})

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What can be chosen."""
        return _choices(visit, form) | {"policy": None}

    def again(self, visit: ProjectVisit, form: Form) -> Form | None:
        """With a target more, or less."""
        del visit
        return _changed(form)

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Make it."""
        made = visit.api.send("POST", f"{visit.place}/webhook/policies", _body(form))
        self.go(visit, f"/webhooks/{made.number}", f"Webhook {form.text('name')} is made. Test it now.")


class EditWebhook(ActingPage, FormPage[ProjectVisit]):
    """/projects/{project}/webhooks/{policy}/edit."""

    needed = ("notification-policy", "update")
    template = "webhook_form.html"

    def first(self, visit: ProjectVisit) -> Form:
        """As it is."""
        policy = policy_of(visit)
        fields: dict[str, object] = {
            "name": policy["name"], "description": policy["description"], "event": policy["event_types"],
            "enabled": policy["enabled"], "targets": len(policy["targets"]),
        }  # fmt: skip
        for number, target in enumerate(policy["targets"]):
            fields |= {
                f"address-{number}": target["address"],
                f"format-{number}": f"{target['type']}:{target.get('payload_format', '')}",
                f"auth-{number}": target.get("auth_header", ""),
                f"secret-{number}": target.get("secret", ""),
                f"skip-{number}": target["skip_cert_verify"],
            }
        return filled(fields)

    def values(self, visit: ProjectVisit, form: Form) -> dict[str, Any]:
        """What can be chosen."""
        return _choices(visit, form) | {"policy": policy_of(visit)}

    def again(self, visit: ProjectVisit, form: Form) -> Form | None:
        """With a target more, or less."""
        del visit
        return _changed(form)

    def act(self, visit: ProjectVisit, form: Form) -> None:
        """Change it."""
        visit.api.send("PUT", policy_path(visit), _body(form))
        self.go(visit, f"/webhooks/{visit.parts['policy']}", f"Webhook {form.text('name')} is changed.")


class SwitchWebhook(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/webhooks/{policy}/switch: disabled if it is enabled, else enabled."""

    needed = ("notification-policy", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Switch it; its secrets stay."""
        policy = policy_of(visit)
        enabled = not policy["enabled"]
        targets = [{"auth_header": "", "secret": MASK, **target} for target in policy["targets"]]
        kept = {name: policy[name] for name in ("name", "description", "event_types")}
        visit.api.send("PUT", policy_path(visit), kept | {"targets": targets, "enabled": enabled})
        said = "is told of events again" if enabled else "is told of nothing until it is enabled again"
        return f"/webhooks/{policy['id']}", f"Webhook {policy['name']} {said}."


class DeleteWebhook(ActingPage, QuestionPage[ProjectVisit]):
    """/projects/{project}/webhooks/{policy}/delete."""

    needed = ("notification-policy", "delete")

    def question(self, visit: ProjectVisit) -> Question:
        """What is not told any more."""
        policy = policy_of(visit)
        return Question(
            title=f"Delete webhook {policy['name']}",
            lines=[
                f"Nothing is told to {' and '.join(target['address'] for target in policy['targets'])} any more.",
                "What is still to be delivered, and the record of all deliveries, goes with it.",
            ],
            verb="Delete webhook",
            back=f"{visit.project.path}/webhooks",
        )

    def carry_out(self, visit: ProjectVisit, form: Form) -> str:
        """Delete it."""
        del form
        name = policy_of(visit)["name"]
        visit.api.send("DELETE", policy_path(visit))
        return f"Webhook {name} is deleted."


def policy_path(visit: ProjectVisit) -> str:
    """The policy's path in the API."""
    return f"{visit.place}/webhook/policies/{visit.parts['policy']}"


def policy_of(visit: ProjectVisit) -> Json:
    """The policy of the address. Raises Refused."""
    found: Json = visit.api.get(policy_path(visit))
    return found


def _choices(visit: ProjectVisit, form: Form) -> dict[str, Any]:
    supported = visit.api.get(f"{visit.place}/webhook/events")["event_type"]
    chosen = form.all("event")
    offered = [(name, said) for name, said in EVENTS.items() if name in supported]
    offered += [(name, name) for name in supported if name in chosen and name not in EVENTS]
    back = f"{visit.project.path}/webhooks"
    if "policy" in visit.parts:
        back += f"/{visit.parts['policy']}"
    return {
        "events": offered, "chosen": chosen, "formats": FORMATS, "numbers": range(_count(form)), "back": back,
        "most": _MOST_TARGETS, "focus": form.number("focus") if form.text("focus") else None,
    }  # fmt: skip


def _changed(form: Form) -> Form | None:
    """The form with one more target, or without one of them, where a button asked for that."""
    verb, _, which = form.text("target").partition("-")
    rows = [{name: form.raw(f"{name}-{number}") for name in _OF_TARGET} for number in range(_count(form))]
    if verb == "add" and len(rows) < _MOST_TARGETS:
        rows.append(dict.fromkeys(_OF_TARGET, "") | {"format": next(iter(FORMATS))})
        focus = len(rows) - 1
    elif verb == "remove" and len(rows) > 1 and which in {str(number) for number in range(len(rows))}:
        del rows[int(which)]
        focus = max(0, int(which) - 1)
    else:
        return None
    fields = {f"{name}-{number}": row[name] for number, row in enumerate(rows) for name in _OF_TARGET}
    return form | filled({**fields, "targets": len(rows), "focus": focus})


def _count(form: Form) -> int:
    return min(max(form.number("targets", 1) if form.text("targets").isdigit() else 1, 1), _MOST_TARGETS)


def _body(form: Form) -> Mapping[str, Any]:
    targets = [_target(form, number) for number in range(_count(form))]
    return {
        "name": form.text("name"), "description": form.text("description"), "event_types": form.all("event"),
        "enabled": form.flag("enabled"), "targets": [each for each in targets if each["address"]] or targets[:1],
    }  # fmt: skip


def _target(form: Form, number: int) -> Json:
    kind, _, payload = form.text(f"format-{number}").partition(":")
    return {
        "type": kind, "payload_format": payload, "address": form.text(f"address-{number}"),
        "auth_header": form.raw(f"auth-{number}").strip(), "secret": form.raw(f"secret-{number}"),
        "skip_cert_verify": form.flag(f"skip-{number}"),
    }  # fmt: skip
