"""The end of a repository: what goes, then some artifacts with each request, so that it can be followed and stopped."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.pages.artifact import artifact_path
from gateway.portal.pages.repository import RepositoryPage, RepositoryVisit, api_path
from gateway.portal.pages.sheets import FormPage
from gateway.portal.rendering import as_sentence
from shared.errors import Forbidden

TYPED_FROM: Final = 11
"""Artifacts from which on a repository's name has to be typed before it is deleted."""
AT_ONCE: Final = 10
"""Artifacts that one request deletes: at most a few seconds' work, less by far as a rule."""
_BROKEN: Final = 500
_NOT_ITS_NAME: Final = "The name that you typed is not this repository's: nothing is deleted."


class DeleteRepository(RepositoryPage, FormPage[RepositoryVisit]):
    """/projects/{project}/delete-repository/{repository}.

    A small one goes with the answer to the question. Of a large one each request deletes a part, and what it shows
    asks for the next by itself, or where the browser runs no scripts by a button.
    """

    template = "repository_delete.html"

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> RepositoryVisit:  # noqa: ANN401
        """Begin to answer. Raises Refused, Unauthorized, Forbidden."""
        visit = super().visit(req, resp, **parts)
        if not visit.repository.project.allows("repository", "delete"):
            raise Forbidden("your role in this project does not allow you to delete repositories")
        return visit

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """What goes."""
        del form
        what = visit.api.get(f"{api_path(visit.repository)}/_deletable")
        return {"what": what, "must_type": what["artifact_count"] >= TYPED_FROM}

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Delete it, or the next part of it; a large one only when its name was typed."""
        held = _held(visit)
        if held >= TYPED_FROM and form.text("name") not in {visit.repository.rest, visit.repository.name}:
            raise Refused(422, "UNPROCESSABLE_ENTITY", _NOT_ITS_NAME)
        began = form.flag("total")
        total = max(form.number("total"), held)
        if form.flag("stop"):
            self._tell(visit, form, held=held, total=total, stopped=True)
        elif began:
            self._go_on(visit, form, total)
        elif held > AT_ONCE:
            self._tell(visit, form, held=held, total=total)
        else:
            self._finish(visit)

    def _go_on(self, visit: RepositoryVisit, form: Form, total: int) -> None:
        try:
            moved = _delete_some(visit)
            held = _held(visit)
            if not moved or not held:
                self._finish(visit)
                return
        except Refused as refused:
            self._tell(visit, form, held=_held(visit), total=total, refused=refused)
        else:
            self._tell(visit, form, held=held, total=total)

    def _finish(self, visit: RepositoryVisit) -> None:
        """The repository itself, with whatever is left in it."""
        visit.api.send("DELETE", api_path(visit.repository))
        said = f"Repository {visit.repository.rest} is deleted."
        self.portal.go(visit.req, visit.resp, visit.repository.project.path, said)

    def _tell(
        self, visit: RepositoryVisit, form: Form, *, held: int, total: int, stopped: bool = False,
        refused: Refused | None = None,
    ) -> None:  # fmt: skip
        """How far it is."""
        self.portal.show(
            visit.req, visit.resp, "repository_deleting.html", status=refused.status if refused else 200,
            repository=visit.repository, typed=form.text("name"), left=held, total=total, done=max(0, total - held),
            stopped=stopped, sentence=as_sentence(refused.sentence) if refused else "",
        )  # fmt: skip


def _delete_some(visit: RepositoryVisit) -> int:
    """How many artifacts went. What an index holds goes with it, and is passed over until then. Raises Refused."""
    found = visit.api.listed(f"{api_path(visit.repository)}/artifacts", page_size=AT_ONCE, with_tag=False)
    gone = 0
    for artifact in found.items:
        try:
            visit.api.send("DELETE", artifact_path(visit.repository, artifact["digest"]))
        except Refused as refused:
            if refused.status >= _BROKEN:
                raise
        else:
            gone += 1
    return gone


def _held(visit: RepositoryVisit) -> int:
    return visit.api.listed(f"{api_path(visit.repository)}/artifacts", page_size=1, q="base=*").total
