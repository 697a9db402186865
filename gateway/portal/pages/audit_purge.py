"""Purges of the audit record: when they are by themselves, now, and what the last ones did."""

import json
from collections.abc import Mapping
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import AskedPage, Question, admin_page, show_sheet
from gateway.portal.portal import Page

_BACK: Final = "/admin/audit-purge"
_DAY: Final = 24
_CRONS: Final = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
_UNDER_WAY: Final = frozenset({"Pending", "Running"})


class AuditPurge(Page):
    """/admin/audit-purge."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The schedule, and the purges that were asked for."""
        schedule = self.portal.api(req).get("/system/purgeaudit/schedule")
        self._show(req, resp, schedule, _form_of(schedule))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Save the schedule, or purge at once, really or for a trial. Raises ForeignForm, BadForm."""
        form = read_form(req)
        api = self.portal.api(req)
        schedule = api.get("/system/purgeaudit/schedule")
        do = form.text("do")
        if do == "ask":
            self._ask(req, resp, form)
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
        try:
            api.send("PUT" if schedule else "POST", "/system/purgeaudit/schedule", body)
        except Refused as refused:
            self._show(req, resp, schedule, form, refused)
        else:
            self.portal.go(req, resp, _BACK, _told(do, when))

    def _ask(self, req: ApiRequest, resp: ApiResponse, form: Form) -> None:
        """What would go, before it goes."""
        count = form.number("keep")
        show_sheet(self, req, resp, "audit_purge_ask.html", form=form, count=count, unit=form.text("unit"))

    def _show(
        self, req: ApiRequest, resp: ApiResponse, schedule: dict[str, Any], form: Form, refused: Refused | None = None
    ) -> None:
        api = self.portal.api(req)
        state = list_state(req, sorts=("-id",))
        found = api.listed("/system/purgeaudit", page=state.page, page_size=state.page_size)
        purges = [each | {"wish": json.loads(each["job_parameters"])} for each in found.items]
        self.portal.show(
            req, resp, "audit_purge.html", block="list", status=refused.status if refused else 200,
            sentence=refused.sentence if refused else "", schedule=schedule, form=form, state=state, purges=purges,
            total=found.total, kinds=[each["event_type"] for each in api.get("/auditlog-exts/events")],
            chosen=set(form.all("kinds")), busy=any(each["job_status"] in _UNDER_WAY for each in purges),
        )  # fmt: skip


class PurgeLog(Page):
    """/admin/audit-purge/{purge_id}/log."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, purge_id: str) -> None:
        """What it did. Raises Refused."""
        api = self.portal.api(req)
        purge = api.get(f"/system/purgeaudit/{segment(purge_id)}")
        log = api.send("GET", f"/system/purgeaudit/{purge['id']}/log").body.decode(errors="replace")
        show_sheet(self, req, resp, "audit_purge_log.html", purge=purge, log=log)


class StopPurge(AskedPage):
    """/admin/audit-purge/{purge_id}/stop."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What it can still stop. Raises Refused."""
        purge = self.portal.api(req).get(f"/system/purgeaudit/{segment(parts['purge_id'])}")
        told = ("A purge that has not begun is withdrawn. One that has begun goes on to its end.",)
        return Question(title=f"Stop purge {purge['id']}", told=told, verb="Stop purge", back=_BACK)

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Withdraw it. Raises Refused."""
        api = self.portal.api(req)
        api.send("PUT", f"/system/purgeaudit/{segment(parts['purge_id'])}")
        state = api.get(f"/system/purgeaudit/{segment(parts['purge_id'])}")["job_status"]
        return "The purge is withdrawn." if state == "Stopped" else f"It was too late: the purge is {state.lower()}."


def _form_of(schedule: Mapping[str, Any]) -> Form:
    """The form of the schedule as it is, or of one that is sensible."""
    if not schedule:
        return Form({"when": ["None"], "keep": ["90"], "unit": ["days"]})
    wish = json.loads(schedule["job_parameters"])
    hours = wish["audit_retention_hour"]
    whole_days = hours % _DAY == 0
    when = schedule["schedule"]["type"]
    kinds = str(wish.get("include_event_types", wish.get("include_operations", "")))
    return Form(
        {
            "when": [when if when in _CRONS else "Custom"],
            "cron": [schedule["schedule"]["cron"]],
            "keep": [str(hours // _DAY if whole_days else hours)],
            "unit": ["days" if whole_days else "hours"],
            "kinds": [kind.strip() for kind in kinds.split(",")],
        }
    )


def _told(do: str, when: str) -> str:
    if do == "save":
        return "The record is no longer purged by itself." if when == "None" else "The schedule is saved."
    return "A trial is asked for: its log will tell what would go." if do == "trial" else "A purge is asked for."
