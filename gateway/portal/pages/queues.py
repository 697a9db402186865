"""The queues of events between the services, and the events that no attempt could settle."""

import json
from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import BadForm, Refused
from gateway.portal.forms import Form
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.sheets import ForAdministrators, FormPage, Visit
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
_NONE_CHOSEN: Final = "choose at least one dead letter"


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
        """The dead letters of a queue, the oldest first. Raises Refused."""
        letters = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters")
        self.portal.show(req, resp, "dead_letters.html", block="list", queue=queue, letters=letters)


class DeadLetter(Page):
    """/admin/queues/{queue}/letters/{letter}."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, queue: str, letter: str) -> None:
        """One of them with its body. Raises Refused."""
        shown = self.portal.api(req).get(f"/system/queues/{segment(queue)}/dead_letters/{segment(letter)}")
        self.portal.show(req, resp, "dead_letter.html", letter=shown, body=formatted(shown["body"]))


class Settle(ForAdministrators, FormPage[Visit]):
    """/admin/queues/{queue}/{action}: asks first, about the letters that were chosen."""

    template = "dead_letters_settle.html"

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized, Forbidden, and NotFound where nothing of that name is done to them."""
        visit = super().visit(req, resp, **parts)
        if parts["action"] not in _VERBS:
            raise NotFound
        return visit

    def first(self, visit: Visit) -> Form:
        """Nothing: the letters are chosen in the list. Raises BadForm."""
        del visit
        raise BadForm(_NONE_CHOSEN)

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What becomes of them."""
        queue, action = visit.parts["queue"], visit.parts["action"]
        return {
            "queue": queue, "action": action, "verb": _VERBS[action], "ids": form.all("ids"),
            "service": SERVICES.get(queue, ""),
        }  # fmt: skip

    def again(self, visit: Visit, form: Form) -> Form | None:
        """The question, before it is answered."""
        del visit
        return form if form.all("ids") and not form.flag("sure") else None

    def act(self, visit: Visit, form: Form) -> None:
        """Do it."""
        if not form.all("ids"):
            raise BadForm(_NONE_CHOSEN)
        queue, action = segment(visit.parts["queue"]), visit.parts["action"]
        answer = visit.api.send(
            "POST", f"/system/queues/{queue}/dead_letters", {"action": action, "ids": form.all("ids")}
        )
        done = "sent back" if action == "redrive" else "discarded"
        self.go(visit, f"{_BACK}/{queue}", f"Dead letters {done}: {answer.content['count']}.")


def formatted(body: str) -> str:
    """JSON with a line for each field; anything else as it is."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(parsed, indent=2, ensure_ascii=False)
