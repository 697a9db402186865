"""Quotas of projects."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class QuotaEvent(Event):
    """The fields all quota events share."""

    noun: ClassVar[str] = "quota"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    project: Annotated[str, "the project's name"]
    project_id: Annotated[int, "the project's number"]
    repository: Annotated[str, "the full name of the repository that was pushed to"]
    limit: Annotated[int, "bytes that the project may store"]
    used: Annotated[int, "bytes that it stores, each blob counted once"]

    @property
    def subject(self) -> str:
        """The project's name."""
        return self.project


@dataclass(frozen=True, kw_only=True)
class QuotaExceeded(QuotaEvent):
    """A push was refused because it would not have fitted under the project's quota."""

    verb: ClassVar[str] = "exceeded"

    detail: Annotated[str, "the sentence that the client was told"]


@dataclass(frozen=True, kw_only=True)
class QuotaWarned(QuotaEvent):
    """A push took the project near its quota: to 85 per cent of it or beyond."""

    verb: ClassVar[str] = "warned"
