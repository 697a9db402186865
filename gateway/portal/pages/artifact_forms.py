"""What is done with an artifact: tags and labels are put on it and taken off, and it is copied elsewhere."""

from typing import Any
from urllib.parse import quote

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.images import OpenRepository, kind_of
from gateway.portal.pages.artifact import ArtifactPage, artifact_path
from gateway.portal.pages.repository import labels_for
from gateway.portal.portal import page
from gateway.portal.rendering import count, short_digest
from shared.auth.roles import Role
from shared.errors import NotFound

_MOST_PROJECTS = 100
_NOWHERE = Refused(422, "UNPROCESSABLE_ENTITY", "A copy needs a project and a repository to go to.")
_PUSHING = frozenset({Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER})


class NewTag(ArtifactPage):
    """/projects/{project}/new-tag/{reference}/{repository}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """The form."""
        self._show(req, resp, self.open_repository(req, project, repository), reference)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """Put the tag on it. Raises ForeignForm, BadForm."""
        form, opened = read_form(req), self.open_repository(req, project, repository)
        name = form.text("name")
        try:
            self.portal.api(req).send("POST", f"{artifact_path(opened, reference)}/tags", {"name": name})
        except Refused as refused:
            self._show(req, resp, opened, reference, name, refused)
        else:
            self.portal.go(req, resp, opened.to("artifacts", reference), f"Tag {name} is put on the artifact.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, opened: OpenRepository, reference: str, name: str = "",
        refused: Refused | None = None,
    ) -> None:
        self.portal.show(
            req, resp, "tag_new.html", status=refused.status if refused else 200, repository=opened, name=name,
            artifact=self.artifact(req, opened, reference), sentence=refused.sentence if refused else "",
        )  # fmt: skip


class DeleteTag(ArtifactPage):
    """/projects/{project}/delete-tag/{reference}/{tag}/{repository}."""

    @page
    def on_get(
        self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, tag: str, repository: str
    ) -> None:
        """What the tag names, and what stays."""
        self._show(req, resp, self.open_repository(req, project, repository), reference, tag)

    @page
    def on_post(
        self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, tag: str, repository: str
    ) -> None:
        """Take it off. Raises ForeignForm, BadForm."""
        read_form(req)
        opened = self.open_repository(req, project, repository)
        try:
            self.portal.api(req).send("DELETE", f"{artifact_path(opened, reference)}/tags/{quote(tag, safe='')}")
        except Refused as refused:
            self._show(req, resp, opened, reference, tag, refused)
        else:
            self.portal.go(req, resp, opened.to("artifacts", reference), f"Tag {tag} is removed.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, opened: OpenRepository, reference: str, tag: str,
        refused: Refused | None = None,
    ) -> None:
        artifact = self.artifact(req, opened, reference)
        others = [each["name"] for each in artifact.get("tags") or () if each["name"] != tag]
        if refused is None and len(others) == len(artifact.get("tags") or ()):
            raise NotFound(f"{short_digest(artifact['digest'])} does not have the tag {tag}")
        self.portal.show(
            req, resp, "tag_delete.html", status=refused.status if refused else 200, repository=opened, tag=tag,
            artifact=artifact, kind=kind_of(artifact), others=others, sentence=refused.sentence if refused else "",
        )  # fmt: skip


class ArtifactLabels(ArtifactPage):
    """/projects/{project}/artifact-labels/{reference}/{repository}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """Every label that it may bear, ticked where it does."""
        self._show(req, resp, self.open_repository(req, project, repository), reference)

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """Put on what was ticked anew, take off what is ticked no more; what others changed meanwhile stays theirs.

        Raises ForeignForm, BadForm.
        """
        form, opened = read_form(req), self.open_repository(req, project, repository)
        had, wanted = set(form.all("had")), set(form.all("label"))
        path = f"{artifact_path(opened, reference)}/labels"
        api = self.portal.api(req)
        try:
            for number in sorted(wanted - had):
                api.send("POST", path, {"id": int(number) if number.isdecimal() else 0})
            for number in sorted(had - wanted):
                api.send("DELETE", f"{path}/{quote(number, safe='')}")
        except Refused as refused:
            self._show(req, resp, opened, reference, refused)
        else:
            changed = count(len(wanted ^ had), "label")
            notice = f"{changed} changed." if wanted != had else "Nothing was changed."
            self.portal.go(req, resp, opened.to("artifacts", reference), notice)

    def _show(
        self, req: ApiRequest, resp: ApiResponse, opened: OpenRepository, reference: str,
        refused: Refused | None = None,
    ) -> None:
        artifact = self.artifact(req, opened, reference, with_label=True)
        offered = labels_for(self.portal.api(req), req, opened)
        known = {label["id"] for label in offered}
        self.portal.show(
            req, resp, "artifact_labels.html", status=refused.status if refused else 200, repository=opened,
            artifact=artifact, borne={label["id"] for label in artifact["labels"]},
            offered=offered + [label for label in artifact["labels"] if label["id"] not in known],
            sentence=refused.sentence if refused else "",
        )  # fmt: skip


class CopyArtifact(ArtifactPage):
    """/projects/{project}/copy-artifact/{reference}/{repository}."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """The form: where to."""
        opened = self.open_repository(req, project, repository)
        self._show(req, resp, opened, reference, Form({"repository": [opened.rest]}))

    @page
    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """Copy it with its tags. Raises ForeignForm, BadForm."""
        form, opened = read_form(req), self.open_repository(req, project, repository)
        target, rest = form.text("project"), form.text("repository")
        if not target or not rest:
            self._show(req, resp, opened, reference, form, _NOWHERE)
            return
        try:
            digest = self.artifact(req, opened, reference, with_tag=False)["digest"]
            place = f"/projects/{segment(target)}/repositories/{segment(rest)}/artifacts"
            self.portal.api(req).send("POST", place, **{"from": f"{opened.name}@{digest}"})
        except Refused as refused:
            self._show(req, resp, opened, reference, form, refused)
        else:
            copy = OpenRepository(project=self.open(req, target), rest=rest)
            self.portal.go(req, resp, copy.to("artifacts", digest), f"The artifact is copied to {copy.name}.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, opened: OpenRepository, reference: str, form: Form,
        refused: Refused | None = None,
    ) -> None:
        self.portal.show(
            req, resp, "artifact_copy.html", status=refused.status if refused else 200, repository=opened, form=form,
            artifact=self.artifact(req, opened, reference), projects=self._targets(req),
            sentence=refused.sentence if refused else "",
        )  # fmt: skip

    def _targets(self, req: ApiRequest) -> list[str]:
        """Projects that may be copied to, to choose from; others can be typed."""
        found: list[dict[str, Any]] = self.portal.api(req).get("/projects", page_size=_MOST_PROJECTS, sort="name")
        return [
            each["name"] for each in found if req.caller.is_admin or each.get("current_user_role_id") in _PUSHING
        ]
