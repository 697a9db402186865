"""Tag artifact: /projects/{project}/repositories/{repository}/artifacts and what is below."""

from typing import Final

from gateway.core.access import require_project
from gateway.core.bodies.label import LabelNumberBody
from gateway.core.bodies.repository import NewTagBody
from gateway.core.catalogue import Catalogue, artifact_name, repository_name
from gateway.core.reading import read_body
from gateway.core.request import ApiRequest, ApiResponse, identifier
from gateway.core.views.accessory import accessory_view
from gateway.core.views.artifact import artifact_path, artifact_view, has_history, is_immutable, tag_view
from gateway.core.writing import write_page
from services.api.commands import deletion
from services.api.commands import label as labels
from services.api.commands.copying import copy_artifact
from services.api.domain.artifact import IMAGE
from services.api.domain.immutability import ImmutableRule
from services.api.queries import artifact as queries
from services.api.queries.accessory import list_accessories
from services.api.queries.history import build_history, layers
from services.api.queries.immutability import rules_of
from services.api.queries.tag import list_tags
from shared.errors import BadRequest, NotImplementedHere, Unprocessable
from shared.names import TagName, parse_reference

NOT_BUILT: Final = (
    "with_scan_overview",
    "with_sbom_overview",
    "with_inherited_accessory",
    "with_signature",
)
"""Flags that clients send for what no artifact has here."""
ADDITIONS: Final = ("build_history", "values.yaml", "readme.md", "dependencies", "sbom", "license", "files")
LAYERS: Final = "layers"
"""An addition of our own: the layers of any artifact's manifest."""


class ProjectArtifacts:
    """/projects/{project}/artifacts."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str) -> None:
        """List the artifacts of all repositories of a project."""
        place = require_project(req, project, ("artifact", "list"))
        listing, with_tags = req.listing(), req.flag("with_tag", default=True)
        page = queries.list_project_artifacts(
            req.database,
            listing,
            project_id=place.project_id,
            with_tags=with_tags,
            with_labels=_with_labels(req),
            with_accessories=_with_accessories(req),
            latest_only=req.flag("latest_in_repository", default=False),
        )
        rules = _rules(req, place.name)
        write_page(req, resp, listing, page, lambda each: artifact_view(each, with_tags=with_tags, rules=rules))


class Artifacts:
    """/projects/{project}/repositories/{repository}/artifacts."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """List the artifacts of a repository."""
        require_project(req, project, ("artifact", "list"), by_name=True)
        name, listing = repository_name(project, repository), req.listing()
        with_tags, rules = req.flag("with_tag", default=True), _rules(req, project)
        page = queries.list_artifacts(
            req.database,
            listing,
            repository=name,
            with_tags=with_tags,
            with_labels=_with_labels(req),
            with_accessories=_with_accessories(req),
        )
        write_page(req, resp, listing, page, lambda each: artifact_view(each, with_tags=with_tags, rules=rules))

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str) -> None:
        """Copy an artifact with its tags from another repository."""
        require_project(req, project, ("artifact", "create"), by_name=True)
        if not req.text("from"):
            raise Unprocessable("from is required")
        source, wanted = artifact_name(req.text("from"))
        require_project(req, source.project, ("artifact", "read"), by_name=True)
        target = repository_name(project, repository)
        req.release_database()
        digest = copy_artifact(
            self._catalogue.sessions,
            self._catalogue.registry,
            source=source,
            reference=wanted,
            target=target,
            context=req.event_context,
        )
        resp.created(artifact_path(target, digest.text))


class OneArtifact:
    """…/artifacts/{reference}."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """Show an artifact by tag or digest."""
        require_project(req, project, ("artifact", "read"), by_name=True)
        with_tags, rules = req.flag("with_tag", default=True), _rules(req, project)
        name, wanted = repository_name(project, repository), parse_reference(reference)
        artifact = queries.get_artifact(
            req.database,
            name,
            wanted,
            with_tags=with_tags,
            with_labels=_with_labels(req),
            with_accessories=_with_accessories(req),
        )
        resp.media = artifact_view(artifact, with_tags=with_tags, rules=rules)

    def on_delete(self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """Delete an artifact with all its tags, and what is about it."""
        require_project(req, project, ("artifact", "delete"), by_name=True)
        name, wanted = repository_name(project, repository), parse_reference(reference)
        req.release_database()
        deletion.delete_artifact(
            self._catalogue.sessions,
            self._catalogue.registry,
            repository=name,
            reference=wanted,
            context=req.event_context,
        )


class Tags:
    """…/artifacts/{reference}/tags."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """List the tags of an artifact."""
        require_project(req, project, ("tag", "list"), by_name=True)
        name, listing = repository_name(project, repository), req.listing()
        rules = _rules(req, project)
        artifact = queries.get_artifact(req.database, name, parse_reference(reference), with_tags=False)
        page = list_tags(req.database, listing, artifact_id=artifact.id)
        write_page(req, resp, listing, page, lambda tag: tag_view(tag, immutable=is_immutable(tag, name, rules)))

    def on_post(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """Put a new tag on an artifact."""
        require_project(req, project, ("tag", "create"), by_name=True)
        name, wanted = repository_name(project, repository), parse_reference(reference)
        tag = TagName.parse(read_body(req, NewTagBody).name)
        req.release_database()
        deletion.create_tag(
            self._catalogue.sessions,
            self._catalogue.registry,
            repository=name,
            reference=wanted,
            tag=tag,
            context=req.event_context,
        )
        resp.status = 201


class OneTag:
    """…/artifacts/{reference}/tags/{tag}."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_delete(
        self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str, reference: str, tag: str
    ) -> None:
        """Take a tag off an artifact; the artifact and its other tags stay."""
        require_project(req, project, ("tag", "delete"), by_name=True)
        name, wanted, doomed = repository_name(project, repository), parse_reference(reference), TagName.parse(tag)
        req.release_database()
        deletion.delete_tag(
            self._catalogue.sessions,
            self._catalogue.registry,
            repository=name,
            reference=wanted,
            tag=doomed,
            context=req.event_context,
        )


class Labels:
    """…/artifacts/{reference}/labels."""

    def on_post(self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """Put a label on an artifact."""
        require_project(req, project, ("artifact-label", "create"), by_name=True)
        name, wanted = repository_name(project, repository), parse_reference(reference)
        number = read_body(req, LabelNumberBody).number()
        labels.attach_label(req.database, number, name, wanted, now=req.now, context=req.event_context)


class OneLabel:
    """…/artifacts/{reference}/labels/{label_id}."""

    def on_delete(
        self, req: ApiRequest, _resp: ApiResponse, project: str, repository: str, reference: str, label_id: str
    ) -> None:
        """Take a label off an artifact."""
        require_project(req, project, ("artifact-label", "delete"), by_name=True)
        name, wanted = repository_name(project, repository), parse_reference(reference)
        labels.detach_label(req.database, identifier(label_id), name, wanted, context=req.event_context)


class Accessories:
    """…/artifacts/{reference}/accessories."""

    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, repository: str, reference: str) -> None:
        """List what is about an artifact, such as its signatures: what names it as its subject."""
        require_project(req, project, ("accessory", "list"), by_name=True)
        name, listing = repository_name(project, repository), req.listing()
        artifact = queries.get_artifact(req.database, name, parse_reference(reference), with_tags=False)
        page = list_accessories(req.database, listing, artifact_id=artifact.id)
        write_page(req, resp, listing, page, accessory_view)


class Addition:
    """…/artifacts/{reference}/additions/{addition}."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def on_get(
        self, req: ApiRequest, resp: ApiResponse, project: str, repository: str, reference: str, addition: str
    ) -> None:
        """Show layers, or how an image was built: an index tells nothing of that, nor does what is no image."""
        require_project(req, project, ("artifact-addition", "read"), by_name=True)
        if addition not in {*ADDITIONS, LAYERS}:
            raise Unprocessable(f"addition must be one of {', '.join((*ADDITIONS, LAYERS))}")
        name = repository_name(project, repository)
        artifact = queries.get_artifact(req.database, name, parse_reference(reference), with_tags=False)
        if addition == LAYERS:
            req.release_database()
            resp.media = layers(self._catalogue.registry, name, artifact)
            return
        if artifact.type == IMAGE and (addition != ADDITIONS[0] or not has_history(artifact)):
            raise BadRequest(f"{name}@{artifact.digest} has no addition {addition}")
        if artifact.type != IMAGE:
            raise NotImplementedHere(f"the addition {addition} of a {artifact.type.lower()} is not implemented")
        req.release_database()
        resp.media = build_history(self._catalogue.registry, name, artifact)


def _with_labels(req: ApiRequest) -> bool:
    for name in NOT_BUILT:
        req.flag(name, default=False)
    return req.flag("with_label", default=False)


def _with_accessories(req: ApiRequest) -> bool:
    return req.flag("with_accessory", default=False)


def _rules(req: ApiRequest, project: str) -> list[ImmutableRule] | None:
    """The project's rules where the request wants to know which tags are immutable."""
    return rules_of(req.database, project) if req.flag("with_immutable_status", default=False) else None
