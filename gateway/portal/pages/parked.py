"""Parked notifications: what the registry sent and nothing could be made of, to read, to take in again, to discard."""

from typing import ClassVar, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.forms import Form
from gateway.portal.lists import fuzzy, list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.settling import SettlePage, formatted
from gateway.portal.pages.sheets import Visit
from gateway.portal.portal import Page

_API: Final = "/system/parked_notifications"
_BACK: Final = "/admin/queues/parked"


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


class SettleParked(SettlePage):
    """/admin/queues/parked/{action}."""

    template = "parked_settle.html"
    verbs: ClassVar = {"retry": "Take in", "discard": "Discard"}
    none_chosen = "choose at least one notification"

    def act(self, visit: Visit, form: Form) -> None:
        """Do it."""
        action = visit.parts["action"]
        done = visit.api.send("POST", _API, {"action": action, "ids": self.chosen(form)}).content
        told = f"Notifications {'taken in' if action == 'retry' else 'discarded'}: {done['count']}."
        if done["still_malformed"]:
            told += f" Still not acceptable, and kept: {done['still_malformed']}."
        self.go(visit, _BACK, told)
