"""What runs of a project's retention did in each repository."""

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.acting import ActingPage, ProjectVisit
from gateway.portal.pages.retention import UNDER_WAY, existing_policy
from gateway.portal.pages.selectors import Json
from gateway.portal.pages.sheets import DeedPage
from gateway.portal.portal import page
from shared.errors import NotFound


class RetentionRun(ActingPage):
    """/projects/{project}/retention/runs/{run}."""

    needed = ("tag-retention", "read")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, run: int) -> None:
        """The run and its repositories."""
        visit = self.visit(req, resp, project=project, run=run)
        state = list_state(req, sorts=("repository", "status", "total", "retained"))
        path, found = _run(visit)
        tasks = visit.api.listed(
            f"{path}/tasks", page=state.page, page_size=state.page_size, sort=state.sort,
            q=fuzzy("repository", state.search),
        )  # fmt: skip
        self.portal.show(
            req, resp, "retention_run.html", block="list", project=visit.project, state=state, run=found,
            tasks=tasks.items, total=tasks.total, live=found["status"] in UNDER_WAY,
        )  # fmt: skip


class StopRun(ActingPage, DeedPage[ProjectVisit]):
    """POST /projects/{project}/retention/runs/{run}/stop."""

    needed = ("tag-retention", "update")

    def act(self, visit: ProjectVisit) -> tuple[str, str]:
        """Stop it: what is deleted by then stays so."""
        path, run = _run(visit)
        visit.api.send("PATCH", path, {"action": "stop"})
        return f"/retention/runs/{run['id']}", "The run is being stopped. What it has deleted by then is gone."


class TaskLog(ActingPage):
    """/projects/{project}/retention/runs/{run}/tasks/{task}."""

    needed = ("tag-retention", "read")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, run: int, task: int) -> None:
        """What the run keeps and deletes in one repository, as it wrote it down."""
        visit = self.visit(req, resp, project=project, run=run)
        path, _ = _run(visit)
        text = visit.api.send("GET", f"{path}/tasks/{task}").body.decode(errors="replace")
        self.portal.show(
            req, resp, "project_text.html", project=visit.project, title="Log of retention", text=text,
            back=f"{visit.project.path}/retention/runs/{run}",
        )  # fmt: skip


def _run(visit: ProjectVisit) -> tuple[str, Json]:
    """The path of a run in the API, and the run. Raises NotFound."""
    executions, number = f"/retentions/{existing_policy(visit)['id']}/executions", visit.parts["run"]
    found = visit.api.listed(executions, q=f"id={number}").items
    if not found:
        raise NotFound
    return f"{executions}/{number}", found[0]
