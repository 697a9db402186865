"""Members: who has which role in a project."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


class MemberKind(StrEnum):
    """What a member is."""

    USER = "user"
    """One account."""
    GROUP = "group"
    """A group of a directory."""


@dataclass(frozen=True, kw_only=True)
class MemberEvent(Event):
    """The fields all member events share."""

    noun: ClassVar[str] = "member"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    project: Annotated[str, "the project's name"]
    project_id: Annotated[int, "the project's number"]
    member_id: Annotated[int, "the membership's number"]
    member: Annotated[str, "name of the user or group"]
    kind: Annotated[MemberKind, "whether the member is a user or a group"] = MemberKind.USER
    role: Annotated[str, "the role: projectAdmin, maintainer, developer, guest or limitedGuest"]

    @property
    def subject(self) -> str:
        """`project/member`."""
        return f"{self.project}/{self.member}"


@dataclass(frozen=True, kw_only=True)
class MemberCreated(MemberEvent):
    """A user or group was made a member of a project."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class MemberUpdated(MemberEvent):
    """A member's role was changed; `role` is the new one."""

    verb: ClassVar[str] = "updated"

    previous_role: Annotated[str | None, "the role before, null when not known"] = None


@dataclass(frozen=True, kw_only=True)
class MemberDeleted(MemberEvent):
    """A member was removed; `role` is the one that was lost."""

    verb: ClassVar[str] = "deleted"
