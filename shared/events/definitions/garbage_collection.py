"""Garbage collection: what nothing names is taken out of the registry's storage."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class GarbageCollectionStarted(Event):
    """A collection of garbage has begun. Until it ends pushes may be refused."""

    noun: ClassVar[str] = "garbage_collection"
    verb: ClassVar[str] = "started"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    collection_id: Annotated[int, "the collection's number"]
    trigger: Annotated[str, "what began it: MANUAL or SCHEDULE"]
    dry_run: Annotated[bool, "whether it only lists what would go"]
    delete_untagged: Annotated[bool, "whether artifacts without a tag are deleted first"]

    @property
    def subject(self) -> str:
        """The collection's number."""
        return str(self.collection_id)


@dataclass(frozen=True, kw_only=True)
class GarbageCollectionFinished(Event):
    """A collection of garbage has ended. After a dry run nothing was deleted."""

    noun: ClassVar[str] = "garbage_collection"
    verb: ClassVar[str] = "finished"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    collection_id: Annotated[int, "the collection's number"]
    trigger: Annotated[str, "what began it: MANUAL or SCHEDULE"]
    dry_run: Annotated[bool, "whether it only listed what would go"]
    state: Annotated[str, "how it ended: succeeded, failed or stopped"]
    artifacts: Annotated[int, "how many artifacts without a tag were deleted, or would be in a dry run"]
    blobs: Annotated[int, "how many blobs went, or would go in a dry run"]
    freed: Annotated[int, "bytes of the storage that were freed, or would be in a dry run"]

    @property
    def subject(self) -> str:
        """The collection's number."""
        return str(self.collection_id)
