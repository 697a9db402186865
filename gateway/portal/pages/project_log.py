"""The audit log of a project: what happened, to what, by whom, and when; the filters are in the address."""

from datetime import UTC, datetime
from typing import Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.lists import ListState, fuzzy, list_state
from gateway.portal.pages.acting import ActingPage
from gateway.portal.pages.audit.pages import OPERATIONS, choices
from gateway.portal.portal import page

RESOURCES: Final = (
    "artifact", "label", "member", "project", "quota", "replication_task", "repository", "retention", "robot", "tag",
    "webhook_policy",
)  # fmt: skip
_FILTERS: Final = ("operation", "type", "actor", "since", "until")


class ProjectLog(ActingPage):
    """/projects/{project}/log."""

    needed = ("log", "list")

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """The record, newest first."""
        visit = self.visit(req, resp, project=project)
        state = list_state(req, sorts=("-op_time", "username", "operation", "resource_type"), filters=_FILTERS)
        query, problem = query_of(state)
        found = visit.api.listed(
            f"/projects/{segment(visit.project.name)}/auditlog-exts", page=state.page, page_size=state.page_size,
            sort=state.sort, q=query,
        )  # fmt: skip
        self.portal.show(
            req, resp, "project_log.html", block="list", project=visit.project, state=state, records=found.items,
            total=found.total, operations=choices(OPERATIONS), types=choices(RESOURCES), problem=problem,
            filtered=any(state.filters.values()),
        )  # fmt: skip


def query_of(state: ListState) -> tuple[str, str]:
    """The filters in the API's words, and what is wrong with those that are left out: addresses are typed by people."""
    given = state.filters
    terms, problem = [fuzzy("username", given["actor"])], ""
    if given["operation"] in OPERATIONS:
        terms.append(f"operation={given['operation']}")
    if given["type"] in RESOURCES:
        terms.append(f"resource_type={given['type']}")
    try:
        low, high = (_time(given[name]) for name in ("since", "until"))
    except ValueError:
        problem = "The times are left out: they must look like 2026-01-31T15:00, in UTC."
    else:
        if low or high:
            terms.append(f"op_time=[{low}~{high}]")
    return ",".join(filter(None, terms)), problem


def _time(text: str) -> str:
    """A time of a form, which is in UTC, for the API. Raises ValueError."""
    if not text:
        return ""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
