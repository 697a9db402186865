"""Parked notifications: what the registry sent and nothing could be made of, to read, to take in again, to discard."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import BadForm
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.queues import formatted
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Visit
from gateway.portal.portal import Page
from shared.errors import NotFound

_API: Final = "/system/parked_notifications"
_BACK: Final = "/admin/queues/parked"
_VERBS: Final = {"retry": "Take in", "discard": "Discard"}
_NONE_CHOSEN: Final = "choose at least one notification"


class ParkedNotifications(Page):
    """/admin/queues/parked."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """All of them, the newest first."""
        state = list_state(req, sorts=("-received_time", "reason", "address"))
        found = self.portal.api(req).listed(
            _API, page=state.page, page_size=state.page_size, sort=state.sort, q=fuzzy("reason", state.search)
        )
        self.portal.show(
            req, resp, "parked.html", block="list", state=state, notifications=found.items, total=found.total
        )


class ParkedNotification(Page):
    """/admin/queues/parked/notifications/{parked_id}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, parked_id: str) -> None:
        """One of them with its body. Raises Refused."""
        shown = self.portal.api(req).get(f"{_API}/{segment(parked_id)}")
        self.portal.show(req, resp, "parked_notification.html", parked=shown, body=formatted(shown["body"]))


class SettleParked(ForAdministrators, FormPage[Visit]):
    """/admin/queues/parked/{action}: asks first, about those that were chosen."""

    template = "parked_settle.html"

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized, Forbidden, and NotFound where nothing of that name is done to them."""
        visit = super().visit(req, resp, **parts)
        if parts["action"] not in _VERBS:
            raise NotFound
        return visit

    def first(self, visit: Visit) -> Form:
        """Nothing: they are chosen in the list. Raises BadForm."""
        del visit
        raise BadForm(_NONE_CHOSEN)

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What becomes of them."""
        action = visit.parts["action"]
        return {"action": action, "verb": _VERBS[action], "ids": form.all("ids")}

    def again(self, visit: Visit, form: Form) -> Form | None:
        """The question, before it is answered."""
        del visit
        return form if form.all("ids") and not form.flag("sure") else None

    def act(self, visit: Visit, form: Form) -> None:
        """Do it."""
        ids, action = form.all("ids"), visit.parts["action"]
        if not ids:
            raise BadForm(_NONE_CHOSEN)
        done = visit.api.send("POST", _API, {"action": action, "ids": ids}).content
        told = f"Notifications {'taken in' if action == 'retry' else 'discarded'}: {done['count']}."
        if done["still_malformed"]:
            told += f" Still not acceptable, and kept: {done['still_malformed']}."
        self.go(visit, _BACK, told)
