"""The addresses of a project's tabs beside its repositories, and of their forms."""

from collections.abc import Mapping
from typing import Final

from gateway.portal.pages import (
    immutable,
    labels,
    members,
    project_log,
    project_settings,
    retention,
    retention_runs,
    robots,
    webhook_deliveries,
    webhooks,
)
from gateway.portal.portal import Page, Portal

_PAGES: Final[Mapping[str, type[Page]]] = {
    "/members": members.Members,
    "/members/names": members.Names,
    "/members/new": members.NewMember,
    "/members/{member:int(min=1)}/role": members.MemberRole,
    "/members/{member:int(min=1)}/remove": members.RemoveMember,
    "/robots": robots.Robots,
    "/robots/new": robots.NewRobot,
    "/robots/{robot:int(min=1)}/edit": robots.EditRobot,
    "/robots/{robot:int(min=1)}/secret": robots.RobotSecret,
    "/robots/{robot:int(min=1)}/disable": robots.DisableRobot,
    "/robots/{robot:int(min=1)}/enable": robots.EnableRobot,
    "/robots/{robot:int(min=1)}/delete": robots.DeleteRobot,
    "/labels": labels.Labels,
    "/labels/new": labels.NewLabel,
    "/labels/{label:int(min=1)}/edit": labels.EditLabel,
    "/labels/{label:int(min=1)}/delete": labels.DeleteLabel,
    "/retention": retention.Retention,
    "/retention/rules/new": retention.NewRule,
    "/retention/rules/{rule:int(min=0)}/edit": retention.EditRule,
    "/retention/rules/{rule:int(min=0)}/switch": retention.SwitchRule,
    "/retention/rules/{rule:int(min=0)}/remove": retention.RemoveRule,
    "/retention/schedule": retention.Schedule,
    "/retention/dry-run": retention.DryRun,
    "/retention/run": retention.Run,
    "/retention/runs/{run:int(min=1)}": retention_runs.RetentionRun,
    "/retention/runs/{run:int(min=1)}/stop": retention_runs.StopRun,
    "/retention/runs/{run:int(min=1)}/tasks/{task:int(min=1)}": retention_runs.TaskLog,
    "/immutable-tags": immutable.ImmutableTags,
    "/immutable-tags/new": immutable.NewImmutableRule,
    "/immutable-tags/{rule:int(min=1)}/edit": immutable.EditImmutableRule,
    "/immutable-tags/{rule:int(min=1)}/switch": immutable.SwitchImmutableRule,
    "/immutable-tags/{rule:int(min=1)}/delete": immutable.DeleteImmutableRule,
    "/webhooks": webhooks.Webhooks,
    "/webhooks/new": webhooks.NewWebhook,
    "/webhooks/{policy:int(min=1)}": webhook_deliveries.Webhook,
    "/webhooks/{policy:int(min=1)}/edit": webhooks.EditWebhook,
    "/webhooks/{policy:int(min=1)}/switch": webhooks.SwitchWebhook,
    "/webhooks/{policy:int(min=1)}/delete": webhooks.DeleteWebhook,
    "/webhooks/{policy:int(min=1)}/test": webhook_deliveries.TryWebhook,
    "/webhooks/{policy:int(min=1)}/redelivery": webhook_deliveries.RedeliverFailed,
    "/webhooks/{policy:int(min=1)}/deliveries/{delivery:int(min=1)}": webhook_deliveries.Delivery,
    "/webhooks/{policy:int(min=1)}/deliveries/{delivery:int(min=1)}/redelivery": webhook_deliveries.Redeliver,
    "/webhooks/{policy:int(min=1)}/deliveries/{delivery:int(min=1)}/attempts/{attempt:int(min=1)}": (
        webhook_deliveries.AttemptLog
    ),
    "/log": project_log.ProjectLog,
    "/settings": project_settings.Settings,
    "/settings/visibility": project_settings.Visibility,
    "/settings/quota": project_settings.Quota,
    "/settings/delete": project_settings.DeleteProject,
}
"""Behind the project's own address."""


def project_tabs(portal: Portal) -> dict[str, Page]:
    """Every page by its address."""
    return {"/projects/{project}" + path: page(portal) for path, page in _PAGES.items()}
