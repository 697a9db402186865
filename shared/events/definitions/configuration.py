"""The system's configuration."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class ConfigurationUpdated(Event):
    """System settings were changed."""

    noun: ClassVar[str] = "configuration"
    verb: ClassVar[str] = "updated"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    changed: Annotated[tuple[str, ...], "names of the settings that were changed, never their values"]

    @property
    def subject(self) -> str:
        """Always `configuration`."""
        return "configuration"
