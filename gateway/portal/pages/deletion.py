"""Deleting artifacts: first what goes with them and what is left out, then what was done to each."""

from dataclasses import dataclass
from typing import Any

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.doomed import Foreseen
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.pages.artifact import ArtifactPage, artifact_path
from gateway.portal.pages.repository import RepositoryVisit
from gateway.portal.pages.sheets import FormPage, filled
from gateway.portal.rendering import count
from shared.errors import BadRequest, Forbidden
from shared.names import Digest

MOST_AT_ONCE = 100
_GONE = 404
_BROKEN = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one artifact."""

    digest: str
    tags: list[str]
    failure: str
    """Empty where it is deleted."""


class DeleteArtifacts(ArtifactPage, FormPage[RepositoryVisit]):
    """/projects/{project}/delete-artifacts/{repository}?digest=…&digest=…."""

    template = "artifacts_delete.html"

    def visit(self, req: ApiRequest, resp: ApiResponse, **parts: Any) -> RepositoryVisit:  # noqa: ANN401
        """Begin to answer. Raises Refused, Unauthorized, Forbidden."""
        visit = super().visit(req, resp, **parts)
        if not visit.repository.project.allows("artifact", "delete"):
            raise Forbidden("your role in this project does not allow you to delete artifacts")
        return visit

    def first(self, visit: RepositoryVisit) -> Form:
        """Those that the address names."""
        return filled({"digest": visit.req.get_param_as_list("digest") or []})

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """What goes, what stays, and what is left out. Raises BadRequest, InvalidName."""
        digests = _chosen(form.all("digest"))
        return {"preview": Foreseen(visit.api, visit.repository, digests).preview()}

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Delete one after the other, and tell what went and what did not. Raises BadRequest, InvalidName."""
        outcomes = self._delete(visit, _chosen(form.all("digest")))
        failed = [outcome for outcome in outcomes if outcome.failure]
        if not failed:
            done = count(len(outcomes), "artifact")
            self.go(visit, "", f"{done} {'is' if len(outcomes) == 1 else 'are'} deleted.")
            return
        self.portal.show(
            visit.req, visit.resp, "artifacts_deleted.html", status=409, repository=visit.repository, failed=failed,
            deleted=[outcome for outcome in outcomes if not outcome.failure],
        )  # fmt: skip

    def _delete(self, visit: RepositoryVisit, digests: list[str]) -> list[Outcome]:
        """Where the registry or the database does not answer, the rest is not tried."""
        api, opened, outcomes, broken = visit.api, visit.repository, list[Outcome](), False
        for digest in digests:
            shown = api.maybe(artifact_path(opened, digest)) if not broken else None
            tags, failure = [tag["name"] for tag in (shown or {}).get("tags") or ()], ""
            if broken:
                failure = "It was not tried: what went before it has failed."
            else:
                try:
                    api.send("DELETE", artifact_path(opened, digest))
                except Refused as refused:
                    broken = refused.status >= _BROKEN
                    failure = "" if refused.status == _GONE else refused.sentence
            outcomes.append(Outcome(digest=digest, tags=tags, failure=failure))
        return outcomes


def _chosen(digests: list[str]) -> list[str]:
    chosen = list(dict.fromkeys(Digest.parse(each).text for each in digests))
    if not chosen:
        raise BadRequest("no artifact is chosen: tick those that are to go")
    if len(chosen) > MOST_AT_ONCE:
        raise BadRequest(f"at most {MOST_AT_ONCE} artifacts are deleted at once")
    return chosen
