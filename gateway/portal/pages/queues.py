"""The queues of events between the services, and the events that no attempt could settle."""

import json
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.pages.administration import admin_page, show_sheet
from gateway.portal.portal import Page
from shared.errors import NotFound

SERVICES: Final = {
    "audit": "Writes the audit record.",
    "metadata": "Keeps repositories, artifacts and sizes true to the registry.",
    "webhook": "Calls the webhooks of projects.",
    "replication": "Begins replications that an event triggers.",
}
_BACK: Final = "/admin/queues"
_AWAY: Final = 503
_VERBS: Final = {"redrive": "Send back", "discard": "Discard"}


class Queues(Page):
    """/admin/queues."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """How much waits; while the broker is away, that it is."""
        sentence, queues = "", []
        try:
            queues = self.portal.api(req).get("/system/queues")
        except Refused as refused:
            if refused.status != _AWAY:
                raise
            sentence = refused.sentence
        self.portal.show(
            req, resp, "queues.html", block="list", queues=queues, sentence=sentence, services=SERVICES
        )


class DeadLetters(Page):
    """/admin/queues/{queue}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str) -> None:
        """The dead letters of a queue, the oldest first. Raises Refused."""
        letters = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters")
        self.portal.show(req, resp, "dead_letters.html", block="list", queue=queue, letters=letters)


class DeadLetter(Page):
    """/admin/queues/{queue}/letters/{letter}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str, letter: str) -> None:
        """One of them with its body. Raises Refused."""
        shown = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters/{segment(letter)}")
        show_sheet(self, req, resp, "dead_letter.html", letter=shown, body=_formatted(shown["body"]))


class Settle(Page):
    """/admin/queues/{queue}/{action}: asks first, about the letters that were chosen."""

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, queue: str, action: str) -> None:
        """Ask, or do it. Raises ForeignForm, BadForm, Refused, NotFound."""
        form = read_form(req)
        if action not in _VERBS:
            raise NotFound
        ids = form.all("ids")
        if not ids:
            self._ask(req, resp, queue, action, [], Refused(400, "BAD_REQUEST", "choose at least one dead letter"))
            return
        if not form.flag("sure"):
            self._ask(req, resp, queue, action, ids)
            return
        try:
            answer = self.portal.api(req).send(
                "POST", f"/system/queues/{segment(queue)}/dead_letters", {"action": action, "ids": ids}
            )
        except Refused as refused:
            self._ask(req, resp, queue, action, ids, refused)
        else:
            done = "sent back" if action == "redrive" else "discarded"
            self.portal.go(req, resp, f"{_BACK}/{segment(queue)}", f"Dead letters {done}: {answer.content['count']}.")

    def _ask(
        self, req: ApiRequest, resp: ApiResponse, queue: str, action: str, ids: list[str],
        refused: Refused | None = None,
    ) -> None:  # fmt: skip
        show_sheet(
            self, req, resp, "dead_letters_settle.html", refused, queue=queue, action=action, verb=_VERBS[action],
            ids=ids, service=SERVICES.get(queue, ""),
        )  # fmt: skip


def _formatted(body: str) -> str:
    """JSON with a line for each field; anything else as it is."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(parsed, indent=2, ensure_ascii=False)
