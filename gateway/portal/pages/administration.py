"""What pages of administration share: only system administrators see them, and what they do is asked about first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from gateway.core.access import require_administrator
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.portal import Page, page

Responder = TypeVar("Responder", bound=Callable[..., None])


def admin_page(responder: Responder) -> Responder:
    """As `page`, for system administrators alone; others are refused by a page."""

    @wraps(responder)
    def respond(self: Page, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        require_administrator(req)
        responder(self, req, resp, **parts)

    return page(respond)  # type: ignore[return-value]  # wraps keeps the signature


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked before something is done."""

    title: str
    told: Sequence[str]
    """What will come of it, a sentence each."""
    verb: str
    """On the button."""
    back: str
    """Where to go afterwards, and on second thoughts."""
    danger: bool = True


class AskedPage(Page):
    """A page that asks, and does it when the answer is yes."""

    def question(self, req: ApiRequest, **parts: str) -> Question:
        """What to ask. Raises Refused."""
        raise NotImplementedError

    def act(self, req: ApiRequest, **parts: str) -> str:
        """Do it; returns what to tell about it. Raises Refused."""
        raise NotImplementedError

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        """Ask."""
        self._ask(req, resp, self.question(req, **parts))

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse, **parts: str) -> None:
        """Do it. Raises ForeignForm, BadForm."""
        read_form(req)
        question = self.question(req, **parts)
        try:
            told = self.act(req, **parts)
        except Refused as refused:
            self._ask(req, resp, question, refused)
        else:
            self.portal.go(req, resp, question.back, told)

    def _ask(
        self, req: ApiRequest, resp: ApiResponse, question: Question, refused: Refused | None = None
    ) -> None:
        show_sheet(self, req, resp, "question.html", refused, question=question)


def show_sheet(
    shown: Page, req: ApiRequest, resp: ApiResponse, template: str, refused: Refused | None = None,
    **values: Any,  # noqa: ANN401 - whatever the template shows
) -> None:
    """A form, with the API's refusal of what was sent where there is one."""
    shown.portal.show(
        req, resp, template, status=refused.status if refused else 200,
        sentence=refused.sentence if refused else "", **values,
    )  # fmt: skip
