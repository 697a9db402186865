"""Webhook policies: which events of a project are told to whom outside."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from shared.events.event import Event, Visibility


@dataclass(frozen=True, kw_only=True)
class WebhookPolicyEvent(Event):
    """The fields all events of a webhook policy share."""

    noun: ClassVar[str] = "webhook_policy"
    permission: ClassVar[Visibility] = Visibility.LOG_LIST

    project: Annotated[str, "the project's name"]
    project_id: Annotated[int, "the project's number"]
    policy_id: Annotated[int, "the policy's number"]
    policy: Annotated[str, "the policy's name"]

    @property
    def subject(self) -> str:
        """`project/policy`."""
        return f"{self.project}/{self.policy}"


@dataclass(frozen=True, kw_only=True)
class WebhookPolicyCreated(WebhookPolicyEvent):
    """A webhook policy was created."""

    verb: ClassVar[str] = "created"


@dataclass(frozen=True, kw_only=True)
class WebhookPolicyUpdated(WebhookPolicyEvent):
    """A webhook policy was changed."""

    verb: ClassVar[str] = "updated"

    changed: Annotated[tuple[str, ...], "names of the fields that were changed, never their values"]


@dataclass(frozen=True, kw_only=True)
class WebhookPolicyDeleted(WebhookPolicyEvent):
    """A webhook policy was deleted, and with it all that was still to be sent."""

    verb: ClassVar[str] = "deleted"
