"""One execution of a replication policy: how far it is, its tasks and what they wrote down."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.replication import words
from gateway.portal.pages.replication.policies import EXECUTIONS, policy_path
from gateway.portal.pages.sheets import Anybody, FormPage, Visit
from gateway.portal.portal import Page, page

TASK_STATES = ("Pending", "InProgress", "Succeed", "Failed", "Stopped")


class OneExecution(Page):
    """/replication/executions/{number}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """How far it is, and its tasks; the page looks again each second while it runs."""
        api = self.portal.api(req)
        run = _run(api, number)
        state = list_state(
            req, sorts=("id", "src_resource", "dst_resource", "operation", "status"), filters=("status",)
        )
        found = api.listed(
            f"{EXECUTIONS}/{number}/tasks", page=state.page, page_size=state.page_size, sort=state.sort,
            status=state.filters["status"], q=fuzzy("src_resource", state.search),
        )  # fmt: skip
        policy: dict[str, Any] = api.get(policy_path(run.shown["policy_id"]))
        self.portal.show(
            req, resp, "replication_execution.html", block="list", state=state, run=run, policy=policy, words=words,
            tasks=found.items, total=found.total, task_states=TASK_STATES,
        )  # fmt: skip


class StopExecution(Anybody, FormPage[Visit]):
    """/replication/executions/{number}/stop."""

    template = "replication_stop.html"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What stopping leaves behind."""
        del form
        return {"run": _run(visit.api, visit.parts["number"])}

    def act(self, visit: Visit, form: Form) -> None:
        """Stop it."""
        del form
        number = visit.parts["number"]
        visit.api.send("PUT", f"{EXECUTIONS}/{number}")
        self.go(visit, f"{EXECUTIONS}/{number}", f"Execution {number} is being stopped.")


class TaskLog(Page):
    """/replication/executions/{number}/tasks/{task}/log."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str, task: str) -> None:
        """What a task has written down."""
        answer = self.portal.api(req).send("GET", f"{EXECUTIONS}/{number}/tasks/{task}/log")
        self.portal.show(
            req, resp, "replication_log.html", number=number, task=task, log=answer.body.decode(errors="replace"),
            back=f"{EXECUTIONS}/{number}",
        )  # fmt: skip


def _run(api: Api, number: str) -> words.Run:
    """The execution of an address. Raises Refused, Unauthorized."""
    return words.run_of(api.get(f"{EXECUTIONS}/{number}"))
