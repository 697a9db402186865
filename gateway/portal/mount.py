"""The portal's wiring: every page and its address, on the core mount's application."""

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import falcon

from gateway.core.request import ApiRequest, ApiResponse
from gateway.core.sign_in import SignIn
from gateway.portal.assets import Assets
from gateway.portal.errors import Refused
from gateway.portal.icons import ICONS
from gateway.portal.pages import (
    about,
    audit_purge,
    directory,
    global_labels,
    groups,
    health,
    home,
    profile,
    project,
    projects,
    queues,
    quotas,
    settings,
    sign_in,
    system_robots,
    users,
)
from gateway.portal.portal import Portal
from gateway.portal.rendering import Templates, highlight

App = falcon.App[ApiRequest, ApiResponse]


def mount_portal(app: App, *, sign_in_with: SignIn, folders: Sequence[Traversable]) -> None:
    """Let the app show the portal. `folders` hold the assets beside our own: what set-up has installed."""
    assets = Assets([files("gateway.portal").joinpath("static"), *folders])
    templates = Templates(icons=ICONS, asset=assets.url, highlight=highlight)
    portal = Portal(app, templates)
    app.add_route("/assets/{version}/{name}", assets)
    for path, page in _pages(portal, sign_in_with).items():
        app.add_route(path, page)
    app.add_error_handler(Refused, _refused)


def _pages(portal: Portal, sign_in_with: SignIn) -> dict[str, Any]:
    return {
        "/": home.Home(portal),
        "/sign-in": sign_in.SignInPage(portal, sign_in_with),
        "/sign-out": sign_in.SignOut(portal),
        "/projects": projects.Projects(portal),
        "/projects/{project}": project.Repositories(portal),
        "/projects-new": projects.NewProject(portal),
        "/about": about.About(portal),
        **_accounts(portal),
        **_system(portal),
    }


def _accounts(portal: Portal) -> dict[str, Any]:
    return {
        "/profile": profile.Profile(portal),
        "/profile/edit": profile.EditProfile(portal),
        "/profile/password": profile.ChangePassword(portal),
        "/profile/tokens/{token}/revoke": profile.RevokeToken(portal),
        "/admin/users": users.Users(portal),
        "/admin/users/new": users.NewUser(portal),
        "/admin/users/{user_id}/edit": users.EditUser(portal),
        "/admin/users/{user_id}/password": users.ResetPassword(portal),
        "/admin/users/{user_id}/administrator": users.Administrator(portal),
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
        "/admin/audit-purge/{purge_id}/log": audit_purge.PurgeLog(portal),
        "/admin/audit-purge/{purge_id}/stop": audit_purge.StopPurge(portal),
        "/admin/health": health.Health(portal),
        "/admin/queues": queues.Queues(portal),
        "/admin/queues/{queue}": queues.DeadLetters(portal),
        "/admin/queues/{queue}/letters/{letter}": queues.DeadLetter(portal),
        "/admin/queues/{queue}/{action}": queues.Settle(portal),
    }


def _refused(req: ApiRequest, resp: ApiResponse, error: Refused, _params: dict[str, str]) -> None:
    """What the API refused a page is told by a page."""
    req.context.page(req, resp, error.sentence, error.status)
