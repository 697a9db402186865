"""Replication policies: the list, one with its executions, and what can be done to it."""

from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.replication import words
from gateway.portal.portal import Page, Portal, page

POLICIES = "/replication/policies"
EXECUTIONS = "/replication/executions"


def policy_path(number: object) -> str:
    """The address of a policy's page."""
    return f"{POLICIES}/{number}"


class PolicyPage(Page):
    """A page of one policy."""

    def policy(self, req: ApiRequest, number: str) -> dict[str, Any]:
        """The policy of an address. Raises Refused, Unauthorized."""
        return dict(self.portal.api(req).get(policy_path(number)))


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
        policy = self.policy(req, number)
        state = list_state(req, sorts=("-id",), filters=("status", "trigger"))
        found = self.portal.api(req).listed(
            EXECUTIONS, policy_id=policy["id"], page=state.page, page_size=state.page_size, sort=state.sort,
            status=state.filters["status"], trigger=state.filters["trigger"],
        )  # fmt: skip
        self.portal.show(
            req, resp, "replication_policy.html", block="list", state=state, policy=policy, words=words,
            runs=[words.run_of(each) for each in found.items], total=found.total,
        )  # fmt: skip


class StartPolicy(PolicyPage):
    """/replication/policies/{number}/run and /dry-run."""

    def __init__(self, portal: Portal, *, dry_run: bool) -> None:
        super().__init__(portal)
        self._dry_run = dry_run

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What would be done, for a yes."""
        self._show(req, resp, number)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Begin it, and go where its progress is shown. Raises ForeignForm, BadForm."""
        read_form(req)
        policy = self.policy(req, number)
        try:
            done = self.portal.api(req).send(
                "POST", EXECUTIONS, {"policy_id": policy["id"], "dry_run": self._dry_run}
            )
        except Refused as refused:
            self._show(req, resp, number, refused)
        else:
            said = "The dry run has begun: nothing is copied." if self._dry_run else "The execution has begun."
            self.portal.go(req, resp, f"{EXECUTIONS}/{done.number}", said)

    def _show(self, req: ApiRequest, resp: ApiResponse, number: str, refused: Refused | None = None) -> None:
        self.portal.show(
            req, resp, "replication_start.html", policy=self.policy(req, number), words=words, dry_run=self._dry_run,
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip


class SwitchPolicy(PolicyPage):
    """/replication/policies/{number}/switch: enable what is disabled, and the other way round."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What that means, for a yes."""
        self._show(req, resp, number)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Make it enabled or disabled, as the form says. Raises ForeignForm, BadForm."""
        enabled = read_form(req).text("enabled") == "true"
        policy = self.policy(req, number)
        try:
            self.portal.api(req).send("PUT", policy_path(number), policy | {"enabled": enabled})
        except Refused as refused:
            self._show(req, resp, number, refused)
        else:
            said = f"Policy {policy['name']} is {'enabled' if enabled else 'disabled'}."
            self.portal.go(req, resp, policy_path(number), said)

    def _show(self, req: ApiRequest, resp: ApiResponse, number: str, refused: Refused | None = None) -> None:
        self.portal.show(
            req, resp, "replication_switch.html", policy=self.policy(req, number), words=words,
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip


class DeletePolicy(PolicyPage):
    """/replication/policies/{number}/delete."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """What goes with it, and what stays."""
        self._show(req, resp, number)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """Delete it. Raises ForeignForm, BadForm."""
        read_form(req)
        policy = self.policy(req, number)
        try:
            self.portal.api(req).send("DELETE", policy_path(number))
        except Refused as refused:
            self._show(req, resp, number, refused)
        else:
            self.portal.go(req, resp, "/replication", f"Policy {policy['name']} is deleted; its copies stay.")

    def _show(self, req: ApiRequest, resp: ApiResponse, number: str, refused: Refused | None = None) -> None:
        policy = self.policy(req, number)
        executions = self.portal.api(req).listed(EXECUTIONS, policy_id=policy["id"], page_size=1).total
        self.portal.show(
            req, resp, "replication_delete.html", policy=policy, executions=executions,
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip
