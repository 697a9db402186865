"""Deleting artifacts: first what goes with them and what is left out, then what was done to each."""

from dataclasses import dataclass

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.doomed import Foreseen
from gateway.portal.errors import Refused
from gateway.portal.forms import read_form
from gateway.portal.images import OpenRepository
from gateway.portal.pages.artifact import ArtifactPage, artifact_path
from gateway.portal.portal import page
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


class DeleteArtifacts(ArtifactPage):
    """/projects/{project}/delete-artifacts/{repository}?digest=…&digest=…."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """What goes, what stays, and what is left out. Raises BadRequest, InvalidName, Forbidden."""
        opened = self._open(req, project, repository)
        digests = _chosen(req.get_param_as_list("digest") or [])
        preview = Foreseen(self.portal.api(req), opened, digests).preview()
        self.portal.show(req, resp, "artifacts_delete.html", repository=opened, preview=preview)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """Delete one after the other, and tell what went and what did not. Raises ForeignForm, BadForm, Forbidden."""
        form, opened = read_form(req), self._open(req, project, repository)
        digests = _chosen(form.all("digest"))
        outcomes = self._delete(req, opened, digests)
        failed = [outcome for outcome in outcomes if outcome.failure]
        if not failed:
            done = count(len(outcomes), "artifact")
            self.portal.go(req, resp, opened.path, f"{done} {'is' if len(outcomes) == 1 else 'are'} deleted.")
            return
        self.portal.show(
            req, resp, "artifacts_deleted.html", status=409, repository=opened, failed=failed,
            deleted=[outcome for outcome in outcomes if not outcome.failure],
        )  # fmt: skip

    def _delete(self, req: ApiRequest, opened: OpenRepository, digests: list[str]) -> list[Outcome]:
        """Where the registry or the database does not answer, the rest is not tried."""
        api, outcomes, broken = self.portal.api(req), list[Outcome](), False
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

    def _open(self, req: ApiRequest, project: str, repository: str) -> OpenRepository:
        opened = self.open_repository(req, project, repository)
        if not opened.project.allows("artifact", "delete"):
            raise Forbidden("your role in this project does not allow you to delete artifacts")
        return opened


def _chosen(digests: list[str]) -> list[str]:
    chosen = list(dict.fromkeys(Digest.parse(each).text for each in digests))
    if not chosen:
        raise BadRequest("no artifact is chosen: tick those that are to go")
    if len(chosen) > MOST_AT_ONCE:
        raise BadRequest(f"at most {MOST_AT_ONCE} artifacts are deleted at once")
    return chosen
