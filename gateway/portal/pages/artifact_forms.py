"""What is done with an artifact: tags and labels are put on it and taken off, and it is copied elsewhere."""

from typing import Any
from urllib.parse import quote

from gateway.portal.api import segment
from gateway.portal.errors import Refused
from gateway.portal.forms import Form
from gateway.portal.images import OpenRepository, kind_of
from gateway.portal.pages.artifact import ArtifactPage, artifact_path
from gateway.portal.pages.repository import RepositoryVisit, labels_for
from gateway.portal.pages.sheets import FormPage, filled
from gateway.portal.rendering import count, short_digest
from shared.auth.roles import Role
from shared.errors import NotFound

_MOST_PROJECTS = 100
_NOWHERE = "A copy needs a project and a repository to go to."
_PUSHING = frozenset({Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER})


class ArtifactForm(ArtifactPage, FormPage[RepositoryVisit]):
    """A form about the artifact of its address."""

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """The artifact."""
        del form
        return {"artifact": self.shown(visit)}

    def shown(self, visit: RepositoryVisit, **query: object) -> dict[str, Any]:
        """The artifact as the API shows it. Raises Refused, Unauthorized."""
        return self.artifact(visit.req, visit.repository, visit.parts["reference"], **query)

    def path(self, visit: RepositoryVisit) -> str:
        """Where the API has it."""
        return artifact_path(visit.repository, visit.parts["reference"])

    def back(self, visit: RepositoryVisit, notice: str) -> None:
        """Go on to the artifact's page."""
        place = visit.repository.to("artifacts", visit.parts["reference"])
        self.portal.go(visit.req, visit.resp, place, notice)


class NewTag(ArtifactForm):
    """/projects/{project}/new-tag/{reference}/{repository}."""

    template = "tag_new.html"

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Put the tag on it."""
        name = form.text("name")
        visit.api.send("POST", f"{self.path(visit)}/tags", {"name": name})
        self.back(visit, f"Tag {name} is put on the artifact.")


class DeleteTag(ArtifactForm):
    """/projects/{project}/delete-tag/{reference}/{tag}/{repository}."""

    template = "tag_delete.html"

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """What the tag names, and what stays. Raises NotFound."""
        del form
        artifact, tag = self.shown(visit), visit.parts["tag"]
        names = [each["name"] for each in artifact.get("tags") or ()]
        if tag not in names:
            raise NotFound(f"{short_digest(artifact['digest'])} does not have the tag {tag}")
        others = [name for name in names if name != tag]
        return {"artifact": artifact, "tag": tag, "kind": kind_of(artifact), "others": others}

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Take it off."""
        del form
        tag = visit.parts["tag"]
        visit.api.send("DELETE", f"{self.path(visit)}/tags/{quote(tag, safe='')}")
        self.back(visit, f"Tag {tag} is removed.")


class ArtifactLabels(ArtifactForm):
    """/projects/{project}/artifact-labels/{reference}/{repository}."""

    template = "artifact_labels.html"

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """Every label that it may bear, and those that it does."""
        del form
        artifact = self.shown(visit, with_label=True)
        offered = labels_for(visit.api, visit.req, visit.repository)
        known = {label["id"] for label in offered}
        return {
            "artifact": artifact, "borne": {label["id"] for label in artifact["labels"]},
            "offered": offered + [label for label in artifact["labels"] if label["id"] not in known],
        }  # fmt: skip

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Put on what was ticked anew, take off what is ticked no more; what others changed meanwhile stays theirs."""
        had, wanted = set(form.all("had")), set(form.all("label"))
        path = f"{self.path(visit)}/labels"
        for number in sorted(wanted - had):
            visit.api.send("POST", path, {"id": int(number) if number.isdecimal() else 0})
        for number in sorted(had - wanted):
            visit.api.send("DELETE", f"{path}/{quote(number, safe='')}")
        changed = count(len(wanted ^ had), "label")
        self.back(visit, f"{changed} changed." if wanted != had else "Nothing was changed.")


class CopyArtifact(ArtifactForm):
    """/projects/{project}/copy-artifact/{reference}/{repository}."""

    template = "artifact_copy.html"

    def first(self, visit: RepositoryVisit) -> Form:
        """To a repository of the same name."""
        return filled({"repository": visit.repository.rest})

    def values(self, visit: RepositoryVisit, form: Form) -> dict[str, Any]:
        """Projects that may be copied to, to choose from; others can be typed."""
        found = visit.api.get("/projects", page_size=_MOST_PROJECTS, sort="name")
        anywhere = visit.req.caller.is_admin
        names = [each["name"] for each in found if anywhere or each.get("current_user_role_id") in _PUSHING]
        return super().values(visit, form) | {"projects": names}

    def act(self, visit: RepositoryVisit, form: Form) -> None:
        """Copy it with its tags."""
        target, rest = form.text("project"), form.text("repository")
        if not target or not rest:
            raise Refused(422, "UNPROCESSABLE_ENTITY", _NOWHERE)
        digest = self.shown(visit, with_tag=False)["digest"]
        place = f"/projects/{segment(target)}/repositories/{segment(rest)}/artifacts"
        visit.api.send("POST", place, **{"from": f"{visit.repository.name}@{digest}"})
        copy = OpenRepository(project=self.open(visit.req, target), rest=rest)
        said = f"The artifact is copied to {copy.name}."
        self.portal.go(visit.req, visit.resp, copy.to("artifacts", digest), said)
