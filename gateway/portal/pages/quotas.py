"""What every project may store, and how much of that it uses."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.projects import GIBIBYTE
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Visit, filled
from gateway.portal.portal import Page

_BACK: Final = "/admin/quotas"
NO_LIMIT: Final = -1


class Quotas(Page):
    """/admin/quotas."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them, the fullest first."""
        state = list_state(req, sorts=("-used.storage", "hard.storage", "update_time", "name"))
        api = self.portal.api(req)
        found = api.listed(
            "/quotas", page=state.page, page_size=state.page_size, sort=state.sort, q=fuzzy("name", state.search)
        )
        self.portal.show(
            req, resp, "quotas.html", block="list", state=state, quotas=found.items, total=found.total,
            first=api.get("/configurations")["storage_per_project"]["value"],
        )  # fmt: skip


class EditQuota(ForAdministrators, FormPage[Visit]):
    """/admin/quotas/{quota_id}/edit."""

    template = "quota_edit.html"

    def first(self, visit: Visit) -> Form:
        """As it is."""
        limit = _quota(visit)["hard"]["storage"]
        return filled({"limit": "" if limit == NO_LIMIT else in_gibibytes(limit)})

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What is used of it."""
        del form
        return {"quota": _quota(visit)}

    def act(self, visit: Visit, form: Form) -> None:
        """Set it."""
        quota = _quota(visit)
        visit.api.send("PUT", f"/quotas/{quota['id']}", {"hard": {"storage": from_gibibytes(form.text("limit"))}})
        self.go(visit, _BACK, f"The limit of {quota['ref']['name']} is changed.")


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


def _quota(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.api.get(f"/quotas/{segment(visit.parts['quota_id'])}")
    return found
