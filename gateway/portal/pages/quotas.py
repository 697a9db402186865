"""What every project may store, and how much of that it uses."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page, show_sheet
from gateway.portal.pages.projects import GIBIBYTE
from gateway.portal.portal import Page

_BACK: Final = "/admin/quotas"
NO_LIMIT: Final = -1


class Quotas(Page):
    """/admin/quotas."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them, the fullest first."""
        state = list_state(req, sorts=("-used.storage", "hard.storage", "update_time"))
        api = self.portal.api(req)
        found = api.listed("/quotas", page=state.page, page_size=state.page_size, sort=state.sort)
        self.portal.show(
            req, resp, "quotas.html", block="list", state=state, quotas=found.items, total=found.total,
            first=api.get("/configurations")["storage_per_project"]["value"],
        )  # fmt: skip


class EditQuota(Page):
    """/admin/quotas/{quota_id}/edit."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, quota_id: str) -> None:
        """The form with what is so now. Raises Refused."""
        quota = _quota(self.portal.api(req), quota_id)
        limit = quota["hard"]["storage"]
        self._show(req, resp, quota, "" if limit == NO_LIMIT else in_gibibytes(limit))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, quota_id: str) -> None:
        """Set the limit. Raises ForeignForm, BadForm, Refused."""
        typed = read_form(req).text("limit")
        api = self.portal.api(req)
        quota = _quota(api, quota_id)
        try:
            api.send("PUT", f"/quotas/{quota['id']}", {"hard": {"storage": from_gibibytes(typed)}})
        except Refused as refused:
            self._show(req, resp, quota, typed, refused)
        else:
            self.portal.go(req, resp, _BACK, f"The limit of {quota['ref']['name']} is changed.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, quota: dict[str, Any], limit: str, refused: Refused | None = None
    ) -> None:
        show_sheet(self, req, resp, "quota_edit.html", refused, quota=quota, limit=limit)


def in_gibibytes(size: int) -> str:
    """Bytes as they are typed in: `1.5`."""
    return f"{size / GIBIBYTE:.10f}".rstrip("0").rstrip(".")


def from_gibibytes(typed: str) -> int:
    """Bytes of what was typed; nothing is no limit. Raises Refused."""
    if not typed:
        return NO_LIMIT
    try:
        return round(float(typed) * GIBIBYTE)
    except (ValueError, OverflowError) as error:
        raise Refused(400, "BAD_REQUEST", f"{typed[:40]!r} is not a number of GiB") from error


def _quota(api: Api, quota_id: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(f"/quotas/{segment(quota_id)}")
    return found
