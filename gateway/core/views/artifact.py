"""Artifacts and tags as the API shows them."""

from collections.abc import Sequence
from urllib.parse import quote

from gateway.core.request import API
from gateway.core.views.accessory import accessory_view
from gateway.core.views.label import label_view
from gateway.core.writing import Json, given, time_or_never
from services.api.domain.artifact import IMAGE, Artifact, Child, Tag
from services.api.domain.immutability import ImmutableRule, immutable_among
from shared.names import RepositoryName

Rules = Sequence[ImmutableRule]


def artifact_view(artifact: Artifact, *, with_tags: bool = True, rules: Rules | None = None) -> Json:
    """An artifact with its tags, with its labels and accessories where they were read and, of an index, its children.

    `rules` tell which tags are immutable.
    """
    repository = RepositoryName(artifact.repository_name)
    accessories = None if artifact.accessories is None else [accessory_view(each) for each in artifact.accessories]
    tags = [tag_view(tag, immutable=is_immutable(tag, repository, rules)) for tag in artifact.tags]
    return given(
        id=artifact.id,
        type=artifact.type,
        media_type=artifact.media_type,
        manifest_media_type=artifact.manifest_media_type,
        artifact_type=artifact.artifact_type or artifact.media_type,
        project_id=artifact.project_id,
        repository_id=artifact.repository_id,
        repository_name=artifact.repository_name,
        digest=artifact.digest,
        size=artifact.size,
        push_time=time_or_never(artifact.pushed_at),
        pull_time=time_or_never(artifact.pulled_at),
        extra_attrs=dict(artifact.extra_attrs),
        annotations=dict(artifact.annotations) or None,
        references=[_child_view(child) for child in artifact.references] or None,
        tags=tags if with_tags else None,
        labels=None if artifact.labels is None else [label_view(label) for label in artifact.labels],
        accessories=accessories,
        addition_links=_additions(artifact),
    )


def tag_view(tag: Tag, *, immutable: bool | None = None) -> Json:
    """A tag, and whether it is immutable where that was asked."""
    return given(
        id=tag.id,
        repository_id=tag.repository_id,
        artifact_id=tag.artifact_id,
        name=tag.name,
        push_time=time_or_never(tag.pushed_at),
        pull_time=time_or_never(tag.pulled_at),
        immutable=immutable,
    )


def artifact_path(repository: RepositoryName, reference: str) -> str:
    """The API's path of an artifact, the repository's slashes doubly encoded."""
    name = quote(quote(repository.rest, safe=""), safe="")
    return f"{API}/projects/{repository.project}/repositories/{name}/artifacts/{reference}"


def has_history(artifact: Artifact) -> bool:
    """Whether an image's configuration tells how it was built; an index has none."""
    return artifact.type == IMAGE and not artifact.references


def is_immutable(tag: Tag, repository: RepositoryName, rules: Rules | None) -> bool | None:
    """Whether some rule holds the tag fast; None where that was not asked."""
    return None if rules is None else bool(immutable_among(rules, repository, [tag.name]))


def _additions(artifact: Artifact) -> Json:
    if not has_history(artifact):
        return {}
    path = artifact_path(RepositoryName(artifact.repository_name), artifact.digest)
    return {"build_history": {"absolute": False, "href": f"{path}/additions/build_history"}}


def _child_view(child: Child) -> Json:
    return given(
        parent_id=child.parent_id,
        child_id=child.child_id,
        child_digest=child.child_digest,
        platform=dict(child.platform) or None,
        annotations=dict(child.annotations) or None,
    )
