"""What the system does by a schedule, or because an administrator asks: when it is, now, and what the last runs did."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Question, QuestionPage, Visit, filled
from gateway.portal.portal import Page

CRONS: Final = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
"""Schedules with a name; any other is written out."""
_UNDER_WAY: Final = frozenset({"Pending", "Running"})
_STATES: Final = _UNDER_WAY | {"Success", "Error", "Stopped"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One thing that the system does."""

    place: str
    """Its page."""
    api: str
    """Where the API lists its runs; the schedule is below."""
    noun: str
    """A run of it, in a word."""
    saved: str
    """What is said when it will no longer be by itself."""
    trial: str
    """What is said when one is asked for that changes nothing."""
    stopping: str
    """What a stop can still do."""
    running: str
    """What is said of one that runs when it is stopped."""

    @property
    def schedule(self) -> str:
        """Where the API keeps its schedule."""
        return f"{self.api}/schedule"


class JobPage(ForAdministrators, FormPage[Visit]):
    """The schedule as a form, a button for a run at once and one for a trial, and the last runs."""

    kind: ClassVar[Kind]
    ask: ClassVar[str]
    """The template that tells what a run does, before it is asked for."""
    part = "list"

    @abstractmethod
    def fields(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """The form's fields of what is wished for; of what is sensible where nothing is yet."""

    @abstractmethod
    def parameters(self, form: Form, *, trial: bool) -> dict[str, Any]:
        """What the API takes of the form. Raises BadForm."""

    def first(self, visit: Visit) -> Form:
        """The schedule as it is, or one that is sensible."""
        schedule = visit.api.get(self.kind.schedule)
        if not schedule:
            return filled({"when": "None"} | self.fields({}))
        when = schedule["schedule"]["type"]
        times = {"when": when if when in CRONS else "Custom", "cron": schedule["schedule"]["cron"]}
        return filled(times | self.fields(json.loads(schedule["job_parameters"])))

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """The schedule, and the runs that were asked for."""
        del form
        state = list_state(
            visit.req, sorts=("-id", "job_status", "creation_time", "update_time"), filters=("status",)
        )
        wanted = state.filters["status"]
        found = visit.api.listed(
            self.kind.api, page=state.page, page_size=state.page_size, sort=state.sort,
            q=f"job_status={wanted}" if wanted in _STATES else "",
        )  # fmt: skip
        runs = [each | {"wish": json.loads(each["job_parameters"])} for each in found.items]
        return {
            "schedule": visit.api.get(self.kind.schedule), "state": state, "runs": runs, "total": found.total,
            "kind": self.kind, "busy": any(each["job_status"] in _UNDER_WAY for each in runs),
        }  # fmt: skip

    def act(self, visit: Visit, form: Form) -> None:
        """Save the schedule, or run at once, really or for a trial; what goes is told before it goes."""
        do = form.text("do")
        parameters = self.parameters(form, trial=do == "trial")
        if do == "ask":
            self.portal.show(visit.req, visit.resp, self.ask, form=form, kind=self.kind)
            return
        when = form.text("when") if do == "save" else "Manual"
        body = {
            "schedule": {"type": when, "cron": CRONS.get(when, form.text("cron") if when == "Custom" else "")},
            "parameters": parameters,
        }
        visit.api.send("PUT" if visit.api.get(self.kind.schedule) else "POST", self.kind.schedule, body)
        self.go(visit, self.kind.place, self._told(do, when))

    def _told(self, do: str, when: str) -> str:
        if do == "save":
            return self.kind.saved if when == "None" else "The schedule is saved."
        return self.kind.trial if do == "trial" else f"A {self.kind.noun} is asked for."


class JobLog(Page):
    """…/{run_id}/log."""

    kind: ClassVar[Kind]

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, run_id: str) -> None:
        """What it did. Raises Refused."""
        api = self.portal.api(req)
        run = api.get(f"{self.kind.api}/{segment(run_id)}")
        log = api.send("GET", f"{self.kind.api}/{run['id']}/log").body.decode(errors="replace")
        wish = json.loads(run["job_parameters"])
        self.portal.show(req, resp, "job_log.html", run=run, log=log, kind=self.kind, wish=wish)


class StopJob(ForAdministrators, QuestionPage[Visit]):
    """…/{run_id}/stop."""

    kind: ClassVar[Kind]

    def question(self, visit: Visit) -> Question:
        """What it can still stop."""
        number, noun = visit.api.get(self._run(visit))["id"], self.kind.noun
        return Question(
            title=f"Stop {noun} {number}", lines=(self.kind.stopping,), verb=f"Stop {noun}", back=self.kind.place
        )

    def carry_out(self, visit: Visit, form: Form) -> str:
        """Withdraw it, or ask it to end."""
        del form
        visit.api.send("PUT", self._run(visit))
        state = visit.api.get(self._run(visit))["job_status"]
        if state == "Stopped":
            return f"The {self.kind.noun} is withdrawn."
        if state == "Running":
            return self.kind.running
        return f"It was too late: the {self.kind.noun} is {state.lower()}."

    def _run(self, visit: Visit) -> str:
        return f"{self.kind.api}/{segment(visit.parts['run_id'])}"
