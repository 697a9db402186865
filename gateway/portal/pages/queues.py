"""The queues of events between the services, and the events that no attempt could settle."""

from typing import Any, ClassVar, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.lists import list_state
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.settling import SettlePage, formatted
from gateway.portal.pages.sheets import Visit
from gateway.portal.portal import Page

SERVICES: Final = {
    "audit": "Writes the audit record.",
    "metadata": "Keeps repositories, artifacts and sizes true to the registry.",
    "webhook": "Calls the webhooks of projects.",
    "replication": "Begins replications that an event triggers.",
}
_BACK: Final = "/admin/queues"
_SEARCHED: Final = ("id", "routing_key", "code", "reason")
_MOST: Final = 1_000
"""As many dead letters the API shows."""
_AWAY: Final = 503


class Queues(Page):
    """/admin/queues."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """How much waits; while the broker is away, that it is."""
        sentence, queues = "", []
        api = self.portal.api(req)
        try:
            queues = api.get("/system/queues")
        except Refused as refused:
            if refused.status != _AWAY:
                raise
            sentence = refused.sentence
        self.portal.show(
            req, resp, "queues.html", block="list", queues=queues, sentence=sentence, services=SERVICES,
            parked=api.listed("/system/parked_notifications", page_size=1).total,
        )  # fmt: skip


class DeadLetters(Page):
    """/admin/queues/{queue}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str) -> None:
        """The dead letters of a queue, the oldest first unless asked otherwise. Raises Refused.

        The broker neither searches nor sorts: this is done with what it shows.
        """
        state = list_state(req, sorts=("failed_at", "routing_key", "code", "attempts"))
        letters = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters")
        field, word = state.sort.removeprefix("-"), state.search.casefold()
        found = sorted(
            (letter for letter in letters if any(word in str(letter[key]).casefold() for key in _SEARCHED)),
            key=lambda letter: (letter[field] is not None, letter[field] or ""), reverse=state.sort.startswith("-"),
        )
        first = (state.page - 1) * state.page_size
        self.portal.show(
            req, resp, "dead_letters.html", block="list", queue=queue, state=state, total=len(found),
            letters=found[first : first + state.page_size], is_cut=len(letters) >= _MOST,
        )  # fmt: skip


class DeadLetter(Page):
    """/admin/queues/{queue}/letters/{letter}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str, letter: str) -> None:
        """One of them with its body. Raises Refused."""
        shown = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters/{segment(letter)}")
        self.portal.show(req, resp, "dead_letter.html", letter=shown, body=formatted(shown["body"]))


class Settle(SettlePage):
    """/admin/queues/{queue}/{action}."""

    template = "dead_letters_settle.html"
    verbs: ClassVar = {"redrive": "Send back", "discard": "Discard"}
    none_chosen = "choose at least one dead letter"

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What becomes of them."""
        queue = visit.parts["queue"]
        return super().values(visit, form) | {"queue": queue, "service": SERVICES.get(queue, "")}

    def act(self, visit: Visit, form: Form) -> None:
        """Do it."""
        queue, action, ids = segment(visit.parts["queue"]), visit.parts["action"], self.chosen(form)
        answer = visit.api.send("POST", f"/system/queues/{queue}/dead_letters", {"action": action, "ids": ids})
        done = "sent back" if action == "redrive" else "discarded"
        self.go(visit, f"{_BACK}/{queue}", f"Dead letters {done}: {answer.content['count']}.")
