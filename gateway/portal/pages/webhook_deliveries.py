"""What webhook policies of a project have delivered: each delivery, its attempts, their log, and sending again."""

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.sheets import DeedPage
from gateway.portal.pages.webhooks import EVENTS, Json, policy_of, policy_path
from gateway.portal.portal import page
from shared.errors import NotFound

STATUSES = ("Pending", "Running", "Success", "Error")
_UNDER_WAY = frozenset({"Pending", "Running"})


class Webhook(ActingPage):
    """/projects/{project}/webhooks/{policy}."""

    needed = ("notification-policy", "read")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, policy: int) -> None:
        """The policy, and what came of it."""
        visit = self.visit(req, resp, project=project, policy=policy)
        state = list_state(req, sorts=("-start_time", "id", "event_type", "status"), filters=("status",))
        wanted = state.filters["status"]
        terms = (f"status={wanted}" if wanted in STATUSES else "", fuzzy("payload", state.search))
        found = visit.api.listed(
            f"{policy_path(visit)}/executions", page=state.page, page_size=state.page_size, sort=state.sort,
            q=",".join(filter(None, terms)),
        )  # fmt: skip
        self.portal.show(
            req, resp, "webhook.html", block="list", project=visit.project, state=state, policy=policy_of(visit),
            deliveries=found.items, total=found.total, events=EVENTS,
            live=any(each["status"] in _UNDER_WAY for each in found.items),
        )  # fmt: skip


class TryWebhook(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/webhooks/{policy}/test."""

    needed = ("notification-policy", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Send each target an example."""
        visit.api.send("POST", f"{policy_path(visit)}/test")
        return f"/webhooks/{visit.parts['policy']}", "An example is on its way to each target: see below."


class RedeliverFailed(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/webhooks/{policy}/redelivery."""

    needed = ("notification-policy", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Send again whatever was given up."""
        number = visit.api.send("POST", f"{policy_path(visit)}/redelivery").content["redelivered"]
        said = f"{number:,} {'delivery goes' if number == 1 else 'deliveries go'} out again."
        return f"/webhooks/{visit.parts['policy']}", said


class Delivery(ActingPage):
    """/projects/{project}/webhooks/{policy}/deliveries/{delivery}."""

    needed = ("notification-policy", "read")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, policy: int, delivery: int) -> None:
        """The delivery, what was sent and each attempt."""
        visit = self.visit(req, resp, project=project, policy=policy, delivery=delivery)
        found = _delivery(visit)
        state = list_state(req, sorts=("-run_count", "status", "start_time"), filters=("status",))
        wanted = state.filters["status"]
        attempts = visit.api.listed(
            f"{_path(visit)}/tasks", page=state.page, page_size=state.page_size, sort=state.sort,
            q=f"status={wanted}" if wanted in STATUSES else "",
        )  # fmt: skip
        self.portal.show(
            req, resp, "webhook_delivery.html", block="list", project=visit.project, policy=policy_of(visit),
            state=state, delivery=found, attempts=attempts.items, total=attempts.total, events=EVENTS,
            live=found["status"] in _UNDER_WAY,
        )  # fmt: skip


class Redeliver(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/webhooks/{policy}/deliveries/{delivery}/redelivery."""

    needed = ("notification-policy", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Send it again."""
        visit.api.send("POST", f"{_path(visit)}/redelivery")
        numbers = visit.parts
        return f"/webhooks/{numbers['policy']}/deliveries/{numbers['delivery']}", "It goes out again."


class AttemptLog(ActingPage):
    """/projects/{project}/webhooks/{policy}/deliveries/{delivery}/attempts/{attempt}."""

    needed = ("notification-policy", "read")

    @page
    def on_get(
        self, req: ApiRequest, resp: ApiResponse, project: str, policy: int, delivery: int, attempt: int
    ) -> None:
        """What was sent and what came back."""
        visit = self.visit(req, resp, project=project, policy=policy, delivery=delivery)
        text = visit.api.send("GET", f"{_path(visit)}/tasks/{attempt}/log").body.decode(errors="replace")
        self.portal.show(
            req, resp, "project_text.html", project=visit.project, title=f"Attempt {attempt}", text=text,
            back=f"{visit.project.path}/webhooks/{policy}/deliveries/{delivery}",
        )  # fmt: skip


def _path(visit: ProjectVisit) -> str:
    return f"{policy_path(visit)}/executions/{visit.parts['delivery']}"


def _delivery(visit: ProjectVisit) -> Json:
    """The delivery of the address. Raises NotFound."""
    found = visit.api.listed(f"{policy_path(visit)}/executions", q=f"id={visit.parts['delivery']}").items
    if not found:
        raise NotFound
    return found[0]
