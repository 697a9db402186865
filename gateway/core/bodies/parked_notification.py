"""Bodies about parked notifications."""

from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import Field

from gateway.core.reading import Body
from shared.errors import BadRequest

MOST_AT_ONCE: Final = 100


class ParkedAction(StrEnum):
    """What becomes of parked notifications."""

    RETRY = "retry"
    """They are read again, and taken in where they can be by now."""
    DISCARD = "discard"
    """They are thrown away."""


class ParkedActionBody(Body):
    """What becomes of which."""

    action: str = ""
    ids: list[str] = Field(default=[], max_length=MOST_AT_ONCE)

    def wanted(self) -> ParkedAction:
        """What becomes of them. Raises BadRequest."""
        try:
            return ParkedAction(self.action)
        except ValueError as error:
            raise BadRequest("action must be retry or discard") from error

    def chosen(self) -> frozenset[UUID]:
        """Which are meant, one at least. Raises BadRequest."""
        if not self.ids:
            raise BadRequest("ids must name at least one parked notification")
        try:
            return frozenset(UUID(each) for each in self.ids)
        except ValueError as error:
            raise BadRequest("ids must be the ids of parked notifications, which are UUIDs") from error
