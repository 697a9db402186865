"""Forms and confirmations of a project's pages, in the dialog or as pages of their own.

What the API refuses is said in the form itself, which keeps whatever was typed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from gateway.core.access import require
from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api, segment
from gateway.portal.errors import BadForm, Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.pages.project import OpenProject, ProjectPage
from gateway.portal.portal import page
from shared.auth.roles import Permission


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """One request to a page of a project, and the API in the name of whoever makes it."""

    req: ApiRequest
    resp: ApiResponse
    api: Api
    project: OpenProject
    numbers: Mapping[str, int]
    """Those of the address."""

    @property
    def place(self) -> str:
        """The project's path in the API."""
        return f"/projects/{segment(self.project.name)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked before something is done that cannot simply be undone."""

    title: str
    lines: Sequence[str]
    """What exactly will happen, a paragraph each."""
    verb: str
    """What the button says."""
    back: str
    kind: str = "danger"
    hidden: Mapping[str, str] = field(default_factory=dict)
    """What the form carries along."""


class ActingPage(ProjectPage):
    """A page for those who may do one thing in the project."""

    needed: ClassVar[Permission]

    def visit(self, req: ApiRequest, resp: ApiResponse, project: str, numbers: Mapping[str, int]) -> Visit:
        """Begin to answer. Raises Refused, Unauthorized, Forbidden."""
        opened = self.open(req, project)
        require(req, self.needed, granted=opened.may)
        return Visit(req=req, resp=resp, api=self.portal.api(req), project=opened, numbers=numbers)

    def go(self, visit: Visit, path: str, notice: str) -> None:
        """Go on to another page of the project."""
        self.portal.go(visit.req, visit.resp, visit.project.path + path, notice)


class FormPage(ActingPage):
    """A form: the template's block is `sheet`."""

    template: ClassVar[str]

    def first(self, visit: Visit) -> Form:
        """What the form says when it is opened."""
        del visit
        return Form()

    def values(self, visit: Visit, form: Form) -> dict[str, Any]:
        """What the template shows besides."""
        del visit, form
        return {}

    def again(self, visit: Visit, form: Form) -> Form | None:
        """The form filled in otherwise, where a button asked for that and for nothing else."""
        del visit, form
        return None

    def act(self, visit: Visit, form: Form) -> None:
        """Do what was asked for and go on. Raises Refused, BadForm."""
        raise NotImplementedError

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, **numbers: int) -> None:
        """The form."""
        visit = self.visit(req, resp, project, numbers)
        self._show(visit, self.first(visit))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, **numbers: int) -> None:
        """What the form asks for. Raises ForeignForm, BadForm."""
        form = read_form(req)
        visit = self.visit(req, resp, project, numbers)
        other = self.again(visit, form)
        if other is not None:
            self._show(visit, other)
            return
        try:
            self.act(visit, form)
        except Refused as refused:
            self._show(visit, form, status=refused.status, sentence=refused.sentence)
        except BadForm as error:
            self._show(visit, form, status=400, sentence=error.sentence)

    def _show(self, visit: Visit, form: Form, *, status: int = 200, sentence: str = "") -> None:
        self.portal.show(
            visit.req, visit.resp, self.template, status=status, project=visit.project, form=form,
            sentence=as_sentence(sentence), **self.values(visit, form),
        )  # fmt: skip


class ConfirmationPage(ActingPage):
    """A question, and what is done when it is answered."""

    def question(self, visit: Visit) -> Question:
        """What is asked. Raises Refused, NotFound where there is nothing to ask about."""
        raise NotImplementedError

    def act(self, visit: Visit, form: Form) -> str:
        """Do it, and say in a sentence what was done. Raises Refused, BadForm."""
        raise NotImplementedError

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, **numbers: int) -> None:
        """The question."""
        visit = self.visit(req, resp, project, numbers)
        self._show(visit, self.question(visit))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, **numbers: int) -> None:
        """The deed. Raises ForeignForm, BadForm."""
        form = read_form(req)
        visit = self.visit(req, resp, project, numbers)
        question = self.question(visit)
        try:
            notice = self.act(visit, form)
        except Refused as refused:
            self._show(visit, question, status=refused.status, sentence=refused.sentence)
        else:
            self.portal.go(req, resp, question.back, notice)

    def _show(self, visit: Visit, question: Question, *, status: int = 200, sentence: str = "") -> None:
        self.portal.show(
            visit.req, visit.resp, "project_confirm.html", status=status, project=visit.project, question=question,
            sentence=as_sentence(sentence),
        )  # fmt: skip


class DeedPage(ActingPage):
    """What a button does at once, as it takes nothing away."""

    def act(self, visit: Visit) -> tuple[str, str]:
        """Do it; the path behind the project's to go on to, and what was done in a sentence. Raises Refused."""
        raise NotImplementedError

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, **numbers: int) -> None:
        """The deed. Raises ForeignForm, BadForm, Refused."""
        read_form(req)
        visit = self.visit(req, resp, project, numbers)
        self.go(visit, *self.act(visit))


def filled(fields: Mapping[str, object]) -> Form:
    """A form as it would be sent with these fields; a list is a field that comes several times, False an empty box."""
    return Form(
        {
            name: [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]
            for name, value in fields.items()
            if value is not False
        }
    )


def as_sentence(text: str) -> str:
    """The API's words with a capital at the beginning and a full stop at the end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".") if text else ""
