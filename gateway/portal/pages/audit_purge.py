"""Purges of the audit record: when they are by themselves, now, and what the last ones did."""

import json
from collections.abc import Mapping
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit, filled
from gateway.portal.portal import Page

_BACK: Final = "/admin/audit-purge"
_SCHEDULE: Final = "/system/purgeaudit/schedule"
_DAY: Final = 24
_CRONS: Final = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
_UNDER_WAY: Final = frozenset({"Pending", "Running"})


class AuditPurge(ForAdministrators, FormPage[Visit]):
    """/admin/audit-purge."""

    template = "audit_purge.html"
    part = "list"

    def first(self, visit: Visit) -> Form:
        """The schedule as it is, or one that is sensible."""
        return _form_of(visit.api.get(_SCHEDULE))

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """The schedule, and the purges that were asked for."""
        state = list_state(visit.req, sorts=("-id",))
        found = visit.api.listed("/system/purgeaudit", page=state.page, page_size=state.page_size)
        purges = [each | {"wish": json.loads(each["job_parameters"])} for each in found.items]
        return {
            "schedule": visit.api.get(_SCHEDULE), "state": state, "purges": purges, "total": found.total,
            "kinds": [each["event_type"] for each in visit.api.get("/auditlog-exts/events")],
            "chosen": set(form.all("kinds")), "busy": any(each["job_status"] in _UNDER_WAY for each in purges),
        }  # fmt: skip

    def act(self, visit: Visit, form: Form) -> None:
        """Save the schedule, or purge at once, really or for a trial; what would go is told before it goes."""
        do = form.text("do")
        if do == "ask":
            self.portal.show(
                visit.req, visit.resp, "audit_purge_ask.html", form=form, count=form.number("keep"),
                unit=form.text("unit"),
            )  # fmt: skip
            return
        when = form.text("when") if do == "save" else "Manual"
        body = {
            "schedule": {"type": when, "cron": _CRONS.get(when, form.text("cron") if when == "Custom" else "")},
            "parameters": {
                "audit_retention_hour": form.number("keep") * (_DAY if form.text("unit") == "days" else 1),
                "include_event_types": ",".join(form.all("kinds")),
                "dry_run": do == "trial",
            },
        }
        visit.api.send("PUT" if visit.api.get(_SCHEDULE) else "POST", _SCHEDULE, body)
        self.go(visit, _BACK, _told(do, when))


class PurgeLog(Page):
    """/admin/audit-purge/{purge_id}/log."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, purge_id: str) -> None:
        """What it did. Raises Refused."""
        api = self.portal.api(req)
        purge = api.get(f"/system/purgeaudit/{segment(purge_id)}")
        log = api.send("GET", f"/system/purgeaudit/{purge['id']}/log").body.decode(errors="replace")
        self.portal.show(req, resp, "audit_purge_log.html", purge=purge, log=log)


class StopPurge(ForAdministrators, QuestionPage[Visit]):
    """/admin/audit-purge/{purge_id}/stop."""

    def question(self, visit: Visit) -> Question:
        """What it can still stop."""
        number = visit.api.get(_purge(visit))["id"]
        lines = ("A purge that has not begun is withdrawn. One that has begun goes on to its end.",)
        return Question(title=f"Stop purge {number}", lines=lines, verb="Stop purge", back=_BACK)

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Withdraw it."""
        del form
        visit.api.send("PUT", _purge(visit))
        state = visit.api.get(_purge(visit))["job_status"]
        return "The purge is withdrawn." if state == "Stopped" else f"It was too late: the purge is {state.lower()}."


def _purge(visit: Visit) -> str:
    return f"/system/purgeaudit/{segment(visit.parts['purge_id'])}"


def _form_of(schedule: Mapping[str, Any]) -> Form:
    """The form of a schedule; of one that is sensible where there is none."""
    if not schedule:
        return filled({"when": "None", "keep": 90, "unit": "days"})
    wish = json.loads(schedule["job_parameters"])
    hours = wish["audit_retention_hour"]
    whole_days = hours % _DAY == 0
    when = schedule["schedule"]["type"]
    kinds = str(wish.get("include_event_types", wish.get("include_operations", "")))
    return filled(
        {
            "when": when if when in _CRONS else "Custom",
            "cron": schedule["schedule"]["cron"],
            "keep": hours // _DAY if whole_days else hours,
            "unit": "days" if whole_days else "hours",
            "kinds": [kind.strip() for kind in kinds.split(",")],
        }
    )


def _told(do: str, when: str) -> str:
    if do == "save":
        return "The record is no longer purged by itself." if when == "None" else "The schedule is saved."
    return "A trial is asked for: its log will tell what would go." if do == "trial" else "A purge is asked for."
