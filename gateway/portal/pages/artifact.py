"""An artifact: what it is, what names it, what it is made of, and what is said about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.api import Api
from gateway.portal.errors import Refused
from gateway.portal.images import (
    OpenRepository,
    Shown,
    accessory_kind,
    address_of,
    kind_of,
    platform_of,
    platforms_of,
    settings_of,
    tag_of,
)
from gateway.portal.lists import fuzzy, list_state, part_of
from gateway.portal.pages.repository import RepositoryPage, api_path
from gateway.portal.portal import page

AT_ONCE: Final = 25
"""Digests that one question to the API can name."""
_PART: Final = 50
"""So many images of an index, or so many referrers, are on a page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Child:
    """What an index refers to; without a size where the registry does not hold it."""

    digest: str
    platform: str
    size: int | None
    tags: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Accessory:
    """What is about an artifact."""

    digest: str
    kind: str
    size: int
    pushed: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step of an image's history with the layer that it made, if it made one."""

    command: str
    created: str
    comment: str
    layer: Shown | None


class ArtifactPage(RepositoryPage):
    """A page about one artifact."""

    def artifact(self, req: ApiRequest, repository: OpenRepository, reference: str, **query: object) -> dict[str, Any]:
        """The artifact of an address, as the API shows it. Raises Refused, Unauthorized."""
        shown: dict[str, Any] = self.portal.api(req).get(artifact_path(repository, reference), **query)
        return shown


class OneArtifact(ArtifactPage):
    """/projects/{project}/artifacts/{reference}/{repository}: by digest, or by a tag."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """All that is known of it."""
        opened = self.open_repository(req, project, repository)
        api = self.portal.api(req)
        state = list_state(req, sorts=("-push_time", "name", "pull_time"), filters=("images", "referrers"))
        try:
            shown = self.artifact(req, opened, reference, with_tag=False, with_label=True, with_accessory=True)
            tags = api.listed(
                f"{artifact_path(opened, shown['digest'])}/tags", page=state.page, page_size=state.page_size,
                sort=state.sort, q=fuzzy("name", state.search), with_immutable_status=True,
            )  # fmt: skip
        except Refused as refused:
            title = "There is no such artifact here"
            self.gone(req, resp, refused, opened.path, f"Artifacts of {opened.rest}", title=title)
            return
        address = address_of(req, opened.project)
        accessories = [
            Accessory(digest=each["digest"], kind=accessory_kind(each), size=each["size"], pushed=each["creation_time"])
            for each in shown.get("accessories") or ()
        ]
        references = part_of(shown.get("references") or (), state.filters["images"], _PART)
        self.portal.show(
            req, resp, "artifact.html", block="list", repository=opened, project=opened.project, state=state,
            artifact=shown, kind=kind_of(shown), platforms=platforms_of(shown), settings=settings_of(shown),
            tags=[tag_of(tag, shown, address) for tag in tags.items], total=tags.total,
            pulls=address.pulls(opened.name, shown["digest"], shown["type"]),
            children=replace(references, items=_children(api, opened, references.items)),
            accessories=part_of(accessories, state.filters["referrers"], _PART),
            called=f":{tags.items[0]['name']}" if tags.items else "",
        )  # fmt: skip


class Contents(ArtifactPage):
    """/projects/{project}/contents/{reference}/{repository}: read from the registry, so it comes after the page."""

    @page
    def on_get(self, req: ApiRequest, resp: ApiResponse, project: str, reference: str, repository: str) -> None:
        """The layers of an artifact and, of an image, how it was built."""
        opened = self.open_repository(req, project, repository)
        api, path = self.portal.api(req), f"{artifact_path(opened, reference)}/additions"
        shown = self.artifact(req, opened, reference, with_tag=False)
        layers: list[dict[str, Any]] = []
        history: list[dict[str, Any]] = []
        sentence = ""
        try:
            layers = api.get(f"{path}/layers")
            history = api.get(f"{path}/build_history") if "build_history" in shown["addition_links"] else []
        except Refused as refused:
            sentence = refused.sentence
        self.portal.show(
            req, resp, "contents.html", block="contents", repository=opened, artifact=shown, sentence=sentence,
            layers=layers, steps=steps_of(history, layers),
        )  # fmt: skip


def artifact_path(repository: OpenRepository, reference: str) -> str:
    """Where the API has an artifact."""
    return f"{api_path(repository)}/artifacts/{quote(reference, safe='')}"


def look_up(api: Api, repository: OpenRepository, digests: list[str], **query: object) -> dict[str, dict[str, Any]]:
    """Artifacts of a repository by their digests, children and accessories too; what is not there is left out."""
    found: dict[str, dict[str, Any]] = {}
    for begin in range(0, len(digests), AT_ONCE):
        wanted = " ".join(digests[begin : begin + AT_ONCE])
        listed = api.get(
            f"{api_path(repository)}/artifacts", page_size=AT_ONCE, q=f"base=*,digest={{{wanted}}}", **query
        )
        found |= {each["digest"]: each for each in listed}
    return found


def steps_of(history: list[dict[str, Any]], layers: list[dict[str, Any]]) -> list[Step]:
    """The steps of a history; each that is not said to be empty made the next layer."""
    rest, steps = iter(layers), []
    for step in history:
        layer = None if step.get("empty_layer") is True else next(rest, None)
        command, created, comment = (str(step.get(name) or "") for name in ("created_by", "created", "comment"))
        steps.append(Step(command=command, created=created, comment=comment, layer=layer))
    return steps


def _children(api: Api, repository: OpenRepository, references: Sequence[Shown]) -> list[Child]:
    held = look_up(api, repository, [each["child_digest"] for each in references if each.get("child_id")])
    children = []
    for each in references:
        child = held.get(each["child_digest"])
        tags = [tag["name"] for tag in child.get("tags") or ()] if child else []
        children.append(
            Child(
                digest=each["child_digest"], platform=platform_of(each.get("platform") or {}) or _role(each),
                size=child["size"] if child else None, tags=tags,
            )
        )  # fmt: skip
    return children


def _role(reference: Shown) -> str:
    """What a child without a platform is for, where BuildKit has noted it."""
    kind = (reference.get("annotations") or {}).get("vnd.docker.reference.type", "")
    return {"attestation-manifest": "attestation"}.get(kind, "any platform")
