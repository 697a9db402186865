"""One execution of a replication policy: how far it is, its tasks and what they wrote down."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.lists import list_state
from gateway.portal.pages.replication import words
from gateway.portal.pages.replication.policies import EXECUTIONS, policy_path
from gateway.portal.portal import Page, page

TASK_STATES = ("Pending", "InProgress", "Succeed", "Failed", "Stopped")


class ExecutionPage(Page):
    """A page of one execution."""

    def run(self, api: Api, number: str) -> words.Run:
        """The execution of an address. Raises Refused, Unauthorized."""
        return words.run_of(api.get(f"{EXECUTIONS}/{number}"))


class OneExecution(ExecutionPage):
    """/replication/executions/{number}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """How far it is, and its tasks; the page looks again each second while it runs."""
        api = self.portal.api(req)
        run = self.run(api, number)
        state = list_state(req, sorts=("id",), filters=("status",))
        found = api.listed(
            f"{EXECUTIONS}/{number}/tasks", page=state.page, page_size=state.page_size, sort=state.sort,
            status=state.filters["status"],
        )  # fmt: skip
        policy: dict[str, Any] = api.get(policy_path(run.shown["policy_id"]))
        self.portal.show(
            req, resp, "replication_execution.html", block="list", state=state, run=run, policy=policy, words=words,
            tasks=found.items, total=found.total, task_states=TASK_STATES,
        )  # fmt: skip


class StopExecution(ExecutionPage):
    """/replication/executions/{number}/stop."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What stopping leaves behind, for a yes."""
        self._show(req, resp, number)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Stop it. Raises ForeignForm, BadForm."""
        read_form(req)
        try:
            self.portal.api(req).send("PUT", f"{EXECUTIONS}/{number}")
        except Refused as refused:
            self._show(req, resp, number, refused)
        else:
            self.portal.go(req, resp, f"{EXECUTIONS}/{number}", f"Execution {number} is being stopped.")

    def _show(self, req: ApiRequest, resp: ApiResponse, number: str, refused: Refused | None = None) -> None:
        self.portal.show(
            req, resp, "replication_stop.html", run=self.run(self.portal.api(req), number),
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip


class TaskLog(ExecutionPage):
    """/replication/executions/{number}/tasks/{task}/log."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str, task: str) -> None:
        """What a task has written down."""
        answer = self.portal.api(req).send("GET", f"{EXECUTIONS}/{number}/tasks/{task}/log")
        self.portal.show(
            req, resp, "replication_log.html", number=number, task=task, log=answer.body.decode(errors="replace"),
            back=f"{EXECUTIONS}/{number}",
        )  # fmt: skip
