"""Replication policies: what goes where, when and how."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.selector import matches


class Trigger(StrEnum):
    """What begins an execution; the names are those of Harbor's API."""

    MANUAL = "manual"
    """Somebody asks for it."""
    SCHEDULED = "scheduled"
    """Its hour has come."""
    EVENT_BASED = "event_based"
    """Something was pushed, tagged or deleted here."""


class FilterKind(StrEnum):
    """What of an artifact a filter looks at."""

    NAME = "name"
    """The full name of its repository."""
    TAG = "tag"
    """Each of its tags."""
    LABEL = "label"
    """Its labels: it needs all of those named."""
    RESOURCE = "resource"
    """Its type of resource."""


class ResourceKind(StrEnum):
    """The types of resource."""

    IMAGE = "image"
    """An image, or an index of images."""
    ARTIFACT = "artifact"
    """Any other OCI artifact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """One condition; an artifact has to fit all of a policy's."""

    kind: FilterKind
    values: tuple[str, ...]
    """One pattern (doublestar) or type; of labels, their names. Empty: everything fits."""
    excludes: bool = False
    """Whether what fits is left out."""
    decorated: bool = False
    """Whether it was said which of both: it is shown as it was told, for those who compare."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """A policy as it is stored."""

    id: int
    name: str
    description: str = ""
    source_id: int | None = None
    """The registry it copies from; None: this one."""
    target_id: int | None = None
    """The registry it copies to; None: this one."""
    namespace: str = ""
    replace_count: int = -1
    filters: tuple[Filter, ...] = ()
    trigger: Trigger = Trigger.MANUAL
    cron: str = ""
    deletion: bool = False
    override: bool = False
    enabled: bool = True
    speed: int = 0
    """KiB a second over all its tasks; 0: as fast as it goes."""
    copy_by_chunk: bool = False
    copy_labels: bool = False
    """Whether artifacts take their labels along."""
    copy_retention: bool = False
    """Whether projects take their retention policies along."""
    single_active: bool = False
    concurrency: int = 16
    creator: str = ""
    created_at: datetime
    updated_at: datetime

    @property
    def registry_id(self) -> int:
        """The other side."""
        found = self.target_id if self.target_id is not None else self.source_id
        if found is None:
            raise ValueError("a policy has another side")
        return found

    @property
    def pushes(self) -> bool:
        """Whether it copies from here to the other side."""
        return self.source_id is None

    def takes_repository(self, repository: str) -> bool:
        """Whether artifacts of this repository can be among those meant."""
        return all(_fits(each, (repository,)) for each in self.filters if each.kind is FilterKind.NAME)

    def takes(self, kind: ResourceKind, labels: Iterable[str]) -> bool:
        """Whether an artifact of this type with these labels is meant, its repository and tags left aside."""
        held = set(labels)
        for each in self.filters:
            if each.kind is FilterKind.RESOURCE and each.values and kind.value not in each.values:
                return False
            if each.kind is FilterKind.LABEL and each.values and held.issuperset(each.values) is each.excludes:
                return False
        return True

    def takes_tag(self, tag: str) -> bool:
        """Whether this tag of an artifact is meant."""
        return all(_fits(each, (tag,)) for each in self.filters if each.kind is FilterKind.TAG)

    @property
    def wants_untagged(self) -> bool:
        """Whether artifacts without a tag are meant too: not where tags are chosen."""
        return not any(each.kind is FilterKind.TAG and each.values for each in self.filters)


def _fits(each: Filter, names: Iterable[str]) -> bool:
    if not each.values:
        return True
    found = any(matches(pattern, name) for pattern in each.values for name in names)
    return found is not each.excludes
