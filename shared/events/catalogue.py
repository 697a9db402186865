"""Every event definition by its type string: the one list that the envelope, the docs and the tests read."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from shared.events.definitions import (
    artifact,
    audit,
    configuration,
    label,
    member,
    project,
    quota,
    refresh_token,
    repository,
    retention,
    robot,
    signing_key,
    tag,
    user,
    user_group,
    webhook_policy,
)
from shared.events.event import Event

DEFINITIONS: Final[tuple[type[Event], ...]] = (
    artifact.ArtifactPushed,
    artifact.ArtifactPulled,
    artifact.ArtifactDeleted,
    tag.TagCreated,
    tag.TagDeleted,
    repository.RepositoryUpdated,
    repository.RepositoryDeleted,
    project.ProjectCreated,
    project.ProjectUpdated,
    project.ProjectDeleted,
    quota.QuotaExceeded,
    quota.QuotaWarned,
    retention.RetentionFinished,
    member.MemberCreated,
    member.MemberUpdated,
    member.MemberDeleted,
    robot.RobotCreated,
    robot.RobotUpdated,
    robot.RobotDeleted,
    label.LabelCreated,
    label.LabelUpdated,
    label.LabelDeleted,
    label.LabelAttached,
    label.LabelDetached,
    user.UserCreated,
    user.UserUpdated,
    user.UserDeleted,
    user.UserPasswordChanged,
    user.UserLoggedIn,
    user.UserLoginFailed,
    user_group.UserGroupCreated,
    user_group.UserGroupUpdated,
    user_group.UserGroupDeleted,
    refresh_token.RefreshTokenRevoked,
    configuration.ConfigurationUpdated,
    signing_key.SigningKeyRotated,
    webhook_policy.WebhookPolicyCreated,
    webhook_policy.WebhookPolicyUpdated,
    webhook_policy.WebhookPolicyDeleted,
    audit.AuditPurged,
)

BY_TYPE: Final[Mapping[str, type[Event]]] = MappingProxyType({each.type: each for each in DEFINITIONS})
