"""Forms, questions and deeds, in the dialog or as pages of their own: what every page that changes something is.

Who may come to one is said by what it is mixed with. What the API refuses is said in the form itself, which keeps
whatever was typed.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from gateway.core.access import require_administrator, require_login
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.errors import BadForm, Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.portal import Page, Portal, page
from gateway.portal.rendering import as_sentence


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request to a page, and the API in the name of whoever makes it."""

    req: ApiRequest
    resp: ApiResponse
    api: Api
    parts: Mapping[str, Any]
    """Those of the address."""

    @property
    def home(self) -> str:
        """What addresses are below that a page goes on to."""
        return ""

    @property
    def shown(self) -> Mapping[str, Any]:
        """What every template of the visit shows."""
        return {}


V = TypeVar("V", bound=Visit)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked before something is done that cannot simply be undone."""

    title: str
    lines: Sequence[str]
    """What exactly will happen, a paragraph each."""
    verb: str
    """What the button says."""
    back: str
    """Where to go afterwards, and on second thoughts."""
    kind: str = "danger"
    hidden: Mapping[str, str] = field(default_factory=dict)
    """What the form carries along."""


class Visited(Page, ABC, Generic[V]):
    """A page that some may come to."""

    @abstractmethod
    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> V:  # noqa: ANN401 - converters make numbers
        """Begin to answer. Raises Refused, Unauthorized, Forbidden, NotFound."""

    def go(self, visit: V, path: str, notice: str) -> None:
        """Go on to another page below the visit's home."""
        self.portal.go(visit.req, visit.resp, visit.home + path, notice)


class Anybody(Visited[Visit]):
    """Open to all: the API alone decides what they may see and do."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer."""
        return begun(self.portal, req, resp, parts)


class SignedIn(Visited[Visit]):
    """For whoever has signed in."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized."""
        require_login(req)
        return begun(self.portal, req, resp, parts)


class ForAdministrators(Visited[Visit]):
    """For system administrators."""

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> Visit:  # noqa: ANN401
        """Begin to answer. Raises Unauthorized, Forbidden."""
        require_administrator(req)
        return begun(self.portal, req, resp, parts)


class FormPage(Visited[V]):
    """A form: the template's block is `sheet`."""

    template: ClassVar[str]
    part: ClassVar[str | None] = None
    """The block that htmx can ask for besides."""

    def first(self, visit: V) -> Form:
        """What the form says when it is opened."""
        del visit
        return Form()

    def values(self, visit: V, form: Form) -> dict[str, Any]:
        """What the template shows besides. Raises Refused, NotFound."""
        del visit, form
        return {}

    def again(self, visit: V, form: Form) -> Form | None:
        """The form filled in otherwise, where a button asked for that and for nothing else."""
        del visit, form
        return None

    @abstractmethod
    def act(self, visit: V, form: Form) -> None:
        """Do what was asked for and go on. Raises Refused, BadForm."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> None:  # noqa: ANN401
        """The form."""
        visit = self.visit(req, resp, **parts)
        self.show(visit, self.first(visit))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> None:  # noqa: ANN401
        """What the form asks for. Raises ForeignForm, BadForm."""
        form = read_form(req)
        visit = self.visit(req, resp, **parts)
        other = self.again(visit, form)
        if other is not None:
            self.show(visit, other)
            return
        try:
            self.act(visit, form)
        except Refused as refused:
            self.show(visit, form, status=refused.status, sentence=refused.sentence)
        except BadForm as error:
            self.show(visit, form, status=400, sentence=error.sentence)

    def show(
        self, visit: V, form: Form, *, status: int = 200, sentence: str = "",
        **more: Any,  # noqa: ANN401 - whatever the template shows
    ) -> None:
        """The form with what is typed in it, and what is said to that. `more` goes before `values`."""
        shown = {**visit.shown, "form": form, "sentence": as_sentence(sentence), **self.values(visit, form), **more}
        self.portal.show(visit.req, visit.resp, self.template, block=self.part, status=status, **shown)


class QuestionPage(FormPage[V]):
    """A question, and what is done when it is answered."""

    template = "question.html"

    @abstractmethod
    def question(self, visit: V) -> Question:
        """What is asked. Raises Refused, NotFound where there is nothing to ask about."""

    @abstractmethod
    def carry_out(self, visit: V, form: Form) -> str:
        """Do it, and say in a sentence what was done. Raises Refused, BadForm."""

    def values(self, visit: V, form: Form) -> dict[str, Any]:
        """The question."""
        del form
        return {"question": self.question(visit)}

    def act(self, visit: V, form: Form) -> None:
        """Do it, and go back where it was asked."""
        back = self.question(visit).back
        self.portal.go(visit.req, visit.resp, back, self.carry_out(visit, form))


class DeedPage(Visited[V]):
    """What a button does at once, as it takes nothing away."""

    @abstractmethod
    def act(self, visit: V) -> tuple[str, str]:
        """Do it; the path below the visit's home to go on to, and what was done in a sentence. Raises Refused."""

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> None:  # noqa: ANN401
        """The deed. Raises ForeignForm, BadForm, Refused."""
        read_form(req)
        visit = self.visit(req, resp, **parts)
        self.go(visit, *self.act(visit))


def begun(portal: Portal, req: ApiRequest, resp: ApiResponse, parts: Mapping[str, Any]) -> Visit:
    """A visit that is about nothing but what its address names."""
    return Visit(req=req, resp=resp, api=portal.api(req), parts=parts)


def filled(fields: Mapping[str, object]) -> Form:
    """A form as it would be sent with these fields; a list is a field that comes several times, False an empty box."""
    return Form(
        {
            name: [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]
            for name, value in fields.items()
            if value is not False
        }
    )
