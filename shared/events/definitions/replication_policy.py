"""Replication policies: what is copied between this registry and another one."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class ReplicationPolicyEvent(Event):
    """The fields all events of a replication policy share."""

    noun: ClassVar[str] = "replication_policy"
    permission: ClassVar[Visibility] = Visibility.ADMINISTRATOR

    policy_id: Annotated[int, "the policy's number"]
    policy: Annotated[str, "the policy's name"]
    registry_id: Annotated[int, "the number of the registry on the other side"]

    @property
    def subject(self) -> str:
        """The policy's name."""
        return self.policy


@dataclass(frozen=True, kw_only=True)
class ReplicationPolicyCreated(ReplicationPolicyEvent):
    """A replication policy was created."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class ReplicationPolicyUpdated(ReplicationPolicyEvent):
    """A replication policy was changed."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed, never their values"]


@dataclass(frozen=True, kw_only=True)
class ReplicationPolicyDeleted(ReplicationPolicyEvent):
    """A replication policy was deleted with its record; what it copied stays where it is."""

    verb: ClassVar[str] = "deleted"
