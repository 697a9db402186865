"""Other registries, as replication knows them."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class RegistryEvent(Event):
    """The fields all events of another registry share."""

    noun: ClassVar[str] = "registry"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    registry_id: Annotated[int, "the registry's number"]
    registry: Annotated[str, "the registry's name"]
    kind: Annotated[str, "which registry it is, `harbor`, `docker-registry`"]
    url: Annotated[str, "where it is"]

    @property
    def subject(self) -> str:
        """The registry's name."""
        return self.registry


@dataclass(frozen=True, kw_only=True)
class RegistryCreated(RegistryEvent):
    """Another registry was set up to replicate with."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class RegistryUpdated(RegistryEvent):
    """What is known of another registry was changed."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed, never their values"]


@dataclass(frozen=True, kw_only=True)
class RegistryDeleted(RegistryEvent):
    """Another registry was forgotten; what it holds stays there."""

    verb: ClassVar[str] = "deleted"
