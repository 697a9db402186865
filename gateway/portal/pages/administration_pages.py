"""The administration, and one's own account: every page of theirs and its address."""

from typing import Any

from gateway.portal.pages import (
    about,
    audit_purge,
    directory,
    garbage,
    global_labels,
    groups,
    health,
    parked,
    profile,
    queues,
    quotas,
    settings,
    system_robots,
    trust,
    users,
)
from gateway.portal.portal import Portal


def administration_pages(portal: Portal) -> dict[str, Any]:
    """The pages by their addresses."""
    return {"/about": about.About(portal), "/trust": trust.Trust(portal)} | _accounts(portal) | _system(portal)


def _accounts(portal: Portal) -> dict[str, Any]:
    return {
        "/profile": profile.Profile(portal),
        "/profile/edit": profile.EditProfile(portal),
        "/profile/password": profile.ChangePassword(portal),
        "/profile/tokens/new": profile.NewToken(portal),
        "/profile/tokens/{token}/revoke": profile.RevokeToken(portal),
        "/admin/users": users.Users(portal),
        "/admin/users/new": users.NewUser(portal),
        "/admin/users/{user_id}/edit": users.EditUser(portal),
        "/admin/users/{user_id}/password": users.ResetPassword(portal),
        "/admin/users/{user_id}/administrator": users.Administrator(portal),
        "/admin/users/{user_id}/disable": users.DisableUser(portal),
        "/admin/users/{user_id}/enable": users.EnableUser(portal),
        "/admin/users/{user_id}/delete": users.DeleteUser(portal),
        "/admin/groups": groups.Groups(portal),
        "/admin/groups/new": groups.NewGroup(portal),
        "/admin/groups/{group_id}/rename": groups.RenameGroup(portal),
        "/admin/groups/{group_id}/delete": groups.DeleteGroup(portal),
        "/admin/robots": system_robots.SystemRobots(portal),
        "/admin/robots/new": system_robots.NewSystemRobot(portal),
        "/admin/robots/{robot_id}/edit": system_robots.EditSystemRobot(portal),
        "/admin/robots/{robot_id}/secret": system_robots.RenewSecret(portal),
        "/admin/robots/{robot_id}/switch": system_robots.SwitchRobot(portal),
        "/admin/robots/{robot_id}/delete": system_robots.DeleteSystemRobot(portal),
    }


def _system(portal: Portal) -> dict[str, Any]:
    return {
        "/admin/labels": global_labels.GlobalLabels(portal),
        "/admin/labels/new": global_labels.NewGlobalLabel(portal),
        "/admin/labels/{label_id}/edit": global_labels.EditGlobalLabel(portal),
        "/admin/labels/{label_id}/delete": global_labels.DeleteGlobalLabel(portal),
        "/admin/quotas": quotas.Quotas(portal),
        "/admin/quotas/{quota_id}/edit": quotas.EditQuota(portal),
        "/admin/directory": directory.Directory(portal),
        "/admin/directory/search": directory.DirectorySearch(portal),
        "/admin/settings": settings.Settings(portal),
        "/admin/audit-purge": audit_purge.AuditPurge(portal),
        "/admin/audit-purge/{run_id}/log": audit_purge.PurgeLog(portal),
        "/admin/audit-purge/{run_id}/stop": audit_purge.StopPurge(portal),
        "/admin/garbage": garbage.Garbage(portal),
        "/admin/garbage/{run_id}/log": garbage.CollectionLog(portal),
        "/admin/garbage/{run_id}/stop": garbage.StopCollection(portal),
        "/admin/health": health.Health(portal),
        "/admin/queues/parked": parked.ParkedNotifications(portal),
        "/admin/queues/parked/notifications/{parked_id}": parked.ParkedNotification(portal),
        "/admin/queues/parked/{action}": parked.SettleParked(portal),
        "/admin/queues": queues.Queues(portal),
        "/admin/queues/{queue}": queues.DeadLetters(portal),
        "/admin/queues/{queue}/letters/{letter}": queues.DeadLetter(portal),
        "/admin/queues/{queue}/{action}": queues.Settle(portal),
    }
