"""The keys that sign registry tokens."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class SigningKeyRotated(Event):
    """The next key became the current one."""

    noun: ClassVar[str] = "signing_key"
    verb: ClassVar[str] = "rotated"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    kid: Annotated[str, "key id of the key that signs now"]
    previous_kid: Annotated[str | None, "key id of the key that signed before, null at first"] = None

    @property
    def subject(self) -> str:
        """The key id of the key that signs now."""
        return self.kid
