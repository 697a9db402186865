"""The audit log's list and one record of it, and the state of its integrity."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.pages.audit.asked import MOST_ROWS, PATH, asked_state, query_of, walk
from gateway.portal.portal import Page, page
from shared.errors import NotFound

CHECKS: Final = "/system/audit-checks"
OPERATIONS: Final = ("create", "delete", "pull", "update", "login")
_SAME_MOMENT: Final = 1_000
"""So many records of one millisecond are looked through."""


class AuditLog(Page):
    """/audit."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """The records that fit the filters, and whether the record is whole."""
        state = asked_state(req)
        api = self.portal.api(req)
        found = api.listed(PATH, page=state.page, page_size=state.page_size, sort=state.sort, q=query_of(state))
        kinds = api.get(f"{PATH}/events")
        self.portal.show(
            req, resp, "audit.html", block="list", state=state, records=found.items, total=found.total,
            types=choices(sorted({each["event_type"].partition("_")[2] for each in kinds})),
            operations=choices(OPERATIONS),
            checks=api.maybe(CHECKS), most=MOST_ROWS, query=state.url(page=1).partition("?")[2],
        )  # fmt: skip


def choices(names: Iterable[str]) -> list[tuple[str, str]]:
    """The API's words, to choose between."""
    return [(name, name.replace("_", " ")) for name in names]


class OneRecord(Page):
    """/audit/records/{number}?at=…: the API lists records by their time, so an address of one has it too."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, number: str) -> None:
        """All that is known of one record. Raises NotFound."""
        self.portal.show(req, resp, "audit_record.html", record=self._find(req, number))

    def _find(self, req: ApiRequest, number: str) -> dict[str, Any]:
        try:
            at = datetime.fromisoformat(req.text("at"))
        except ValueError as error:
            raise NotFound from error
        if at.tzinfo is None:
            raise NotFound
        behind = (at + timedelta(milliseconds=1)).isoformat()  # what the API tells is cut to milliseconds
        for record in islice(walk(self.portal.api(req), "", behind=f"{behind}_0"), _SAME_MOMENT):
            if str(record["id"]) == number:
                return record
            if datetime.fromisoformat(record["op_time"]) < at:
                break
        raise NotFound("the record was purged, or there is none of this number and time")


class Integrity(Page):
    """/audit/integrity: what was verified last, and verifying anew."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What each check found."""
        self._show(req, resp)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Ask for a check of the newest links. Raises ForeignForm, BadForm."""
        read_form(req)
        try:
            self.portal.api(req).send("POST", CHECKS)
        except Refused as refused:
            self._show(req, resp, refused)
        else:
            self.portal.go(req, resp, "/audit/integrity", "The newest links are being verified.")

    def _show(self, req: ApiRequest, resp: ApiResponse, refused: Refused | None = None) -> None:
        checks = {each["scope"]: each for each in self.portal.api(req).get(CHECKS)}
        self.portal.show(
            req, resp, "audit_integrity.html", block="checks", recent=checks["recent"], whole=checks["all"],
            status=refused.status if refused else 200, sentence=refused.sentence if refused else "",
        )  # fmt: skip
