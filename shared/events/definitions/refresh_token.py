"""Refresh tokens: what a docker client keeps in place of a password."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class RefreshTokenCreated(Event):
    """A refresh token was made by its owner; one that a docker client gets at its login is told by that login alone."""

    noun: ClassVar[str] = "refresh_token"
    verb: ClassVar[str] = "created"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    username: Annotated[str, "the account it belongs to"]
    token_id: Annotated[str, "the token's public number"]
    client_id: Annotated[str, "the name that its owner gave it"]

    @property
    def subject(self) -> str:
        """The account's name."""
        return self.username


@dataclass(frozen=True, kw_only=True)
class RefreshTokenRevoked(Event):
    """A refresh token was revoked, by its owner, an administrator, or because its account changed."""

    noun: ClassVar[str] = "refresh_token"
    verb: ClassVar[str] = "revoked"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    username: Annotated[str, "the account it belonged to"]
    token_id: Annotated[str | None, "the token's public number, null when all of the account's were revoked"] = None

    @property
    def subject(self) -> str:
        """The account's name."""
        return self.username
