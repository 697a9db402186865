"""Replication policies: the list, one with its executions, and what can be done to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.replication import words
from gateway.portal.pages.sheets import FormPage, Visit, Visited
from gateway.portal.portal import Page, Portal, page

POLICIES = "/replication/policies"
EXECUTIONS = "/replication/executions"
_RUN_ORDERS: Final = ("-id", "status", "trigger", "start_time", "total", "failed")


def policy_path(number: object) -> str:
    """The address of a policy's page."""
    return f"{POLICIES}/{number}"


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyVisit(Visit):
    """One request to a page of one policy."""

    policy: dict[str, Any]

    @property
    def home(self) -> str:
        """Its address, here as in the API."""
        return policy_path(self.policy["id"])

    @property
    def shown(self) -> Mapping[str, Any]:
        """The policy."""
        return {"policy": self.policy, "words": words}


class PolicyPage(Visited[PolicyVisit]):
    """A page of one policy."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> PolicyVisit:  # noqa: ANN401
        """Begin to answer. Raises Refused, Unauthorized."""
        api = self.portal.api(req)
        return PolicyVisit(req=req, resp=resp, api=api, parts=parts, policy=api.get(policy_path(parts["number"])))


class Policies(Page):
    """/replication."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The policies, and what came of them last."""
        state = list_state(req, sorts=("name", "creation_time"))
        api = self.portal.api(req)
        found = api.listed(
            POLICIES, page=state.page, page_size=state.page_size, sort=state.sort, q=fuzzy("name", state.search)
        )
        has_registries = bool(found.items) or api.listed("/registries", page_size=1).total > 0
        self.portal.show(
            req, resp, "replication.html", block="list", state=state, policies=found.items, total=found.total,
            words=words, has_registries=has_registries,
        )  # fmt: skip


class OnePolicy(PolicyPage):
    """/replication/policies/{number}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What a policy does, and its executions."""
        visit = self.visit(req, resp, number=number)
        state = list_state(req, sorts=_RUN_ORDERS, filters=("status", "trigger"))
        found = visit.api.listed(
            EXECUTIONS, policy_id=visit.policy["id"], page=state.page, page_size=state.page_size, sort=state.sort,
            status=state.filters["status"], trigger=state.filters["trigger"],
        )  # fmt: skip
        self.portal.show(
            req, resp, "replication_policy.html", block="list", state=state, **visit.shown,
            runs=[words.run_of(each) for each in found.items], total=found.total,
        )  # fmt: skip


class StartPolicy(PolicyPage, FormPage[PolicyVisit]):
    """/replication/policies/{number}/run and /dry-run."""

    template = "replication_start.html"

    def __init__(self, portal: Portal, *, dry_run: bool) -> None:
        super().__init__(portal)
        self._dry_run = dry_run

    def values(self, visit: PolicyVisit, form: Form) -> dict[str, Any]:
        """What would be done."""
        del visit, form
        return {"dry_run": self._dry_run}

    def act(self, visit: PolicyVisit, form: Form) -> None:
        """Begin it, and go where its progress is shown."""
        del form
        done = visit.api.send("POST", EXECUTIONS, {"policy_id": visit.policy["id"], "dry_run": self._dry_run})
        said = "The dry run has begun: nothing is copied." if self._dry_run else "The execution has begun."
        self.portal.go(visit.req, visit.resp, f"{EXECUTIONS}/{done.number}", said)


class SwitchPolicy(PolicyPage, FormPage[PolicyVisit]):
    """/replication/policies/{number}/switch: enable what is disabled, and the other way round."""

    template = "replication_switch.html"

    def act(self, visit: PolicyVisit, form: Form) -> None:
        """Make it enabled or disabled, as the form says."""
        enabled = form.text("enabled") == "true"
        visit.api.send("PUT", visit.home, visit.policy | {"enabled": enabled})
        self.go(visit, "", f"Policy {visit.policy['name']} is {'enabled' if enabled else 'disabled'}.")


class DeletePolicy(PolicyPage, FormPage[PolicyVisit]):
    """/replication/policies/{number}/delete."""

    template = "replication_delete.html"

    def values(self, visit: PolicyVisit, form: Form) -> dict[str, Any]:
        """What goes with it."""
        del form
        return {"executions": visit.api.listed(EXECUTIONS, policy_id=visit.policy["id"], page_size=1).total}

    def act(self, visit: PolicyVisit, form: Form) -> None:
        """Delete it."""
        del form
        visit.api.send("DELETE", visit.home)
        said = f"Policy {visit.policy['name']} is deleted; its copies stay."
        self.portal.go(visit.req, visit.resp, "/replication", said)
