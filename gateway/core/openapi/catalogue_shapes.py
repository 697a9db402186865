"""What answers about repositories, artifacts and the record look like; see `shapes`."""

from typing import Any, NotRequired

from typing_extensions import TypedDict  # pydantic takes typing's own only from Python 3.12 on

from gateway.core.openapi.shapes import LabelEntry, ProjectEntry, Time


class RepositoryEntry(TypedDict):
    """A repository under its full name."""

    id: int
    project_id: int
    name: str
    description: str
    artifact_count: int
    pull_count: int
    creation_time: Time
    update_time: Time


class DeletableRepository(TypedDict):
    """Whether a repository could be deleted now, what would go, and the first hundred tags that keep it."""

    deletable: bool
    message: NotRequired[str]
    artifact_count: int
    tag_count: int
    immutable_tag_count: int
    immutable_tags: list[str]


class FoundRepository(TypedDict):
    """A repository that a search has found."""

    project_id: int
    project_name: str
    project_public: bool
    repository_name: str
    artifact_count: int
    pull_count: int


class Found(TypedDict):
    """What a search has found."""

    project: list[ProjectEntry]
    repository: list[FoundRepository]


class TagEntry(TypedDict):
    """A tag, and whether it is immutable where that was asked."""

    id: int
    repository_id: int
    artifact_id: int
    name: str
    push_time: Time
    pull_time: Time
    immutable: NotRequired[bool]


class ChildEntry(TypedDict):
    """What an index refers to; without a child_id where the registry does not hold it."""

    parent_id: int
    child_id: NotRequired[int]
    child_digest: str
    platform: NotRequired[dict[str, Any]]
    annotations: NotRequired[dict[str, str]]


class AdditionLink(TypedDict):
    """Where more is to be read about an artifact."""

    absolute: bool
    href: str


class AccessoryEntry(TypedDict):
    """An artifact that is about another one, its subject."""

    id: int
    artifact_id: int
    subject_artifact_id: int
    subject_artifact_digest: str
    subject_artifact_repo: str
    digest: str
    type: str
    size: int
    icon: str
    creation_time: Time


class ArtifactEntry(TypedDict):
    """An artifact; tags, labels and accessories where they were asked for."""

    id: int
    type: str
    media_type: str
    manifest_media_type: str
    artifact_type: str
    project_id: int
    repository_id: int
    repository_name: str
    digest: str
    size: int
    push_time: Time
    pull_time: Time
    extra_attrs: dict[str, Any]
    annotations: NotRequired[dict[str, str]]
    references: NotRequired[list[ChildEntry]]
    tags: NotRequired[list[TagEntry]]
    labels: NotRequired[list[LabelEntry]]
    accessories: NotRequired[list[AccessoryEntry]]
    addition_links: dict[str, AdditionLink]


BuildStep = dict[str, Any]
"""A step of an image's history, as the image's configuration has it; or a layer: digest, media_type, size, title."""


class AuditEntry(TypedDict):
    """A record of what somebody did."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    op_time: Time


class AuditExtEntry(AuditEntry):
    """A record in the newer form: with a description, whether it succeeded, what it was about and from where."""

    operation_description: str
    operation_result: bool
    occurrences: int
    project: NotRequired[str]
    repository: NotRequired[str]
    digest: NotRequired[str]
    tag: NotRequired[str]
    client_address: NotRequired[str]
    client: NotRequired[str]
    request_id: NotRequired[str]


class AuditCheck(TypedDict):
    """What verifying the newest links of the record, or all, found last."""

    scope: str
    asked_time: NotRequired[Time]
    verified_time: NotRequired[Time]
    first_link: int
    links: int
    broken: NotRequired[str]


class EventTypeEntry(TypedDict):
    """A kind of record there can be."""

    event_type: str
