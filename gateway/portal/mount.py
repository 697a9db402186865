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
from gateway.portal.pages import events, home, project, projects, sign_in
from gateway.portal.pages.audit import export
from gateway.portal.pages.audit import pages as audit
from gateway.portal.pages.replication import executions, policies, policy_form, registries
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
        **_replication(portal),
        **_audit(portal),
        "/events": events.Events(portal),
    }


def _audit(portal: Portal) -> dict[str, Any]:
    return {
        "/audit": audit.AuditLog(portal),
        "/audit/records/{number}": audit.OneRecord(portal),
        "/audit/integrity": audit.Integrity(portal),
        "/audit/export.csv": export.Export(portal, kind="csv"),
        "/audit/export.jsonl": export.Export(portal, kind="jsonl"),
    }


def _replication(portal: Portal) -> dict[str, Any]:
    policy, execution = "/replication/policies/{number}", "/replication/executions/{number}"
    return {
        "/replication": policies.Policies(portal),
        "/replication/policies-new": policy_form.NewPolicy(portal),
        "/replication/example": policy_form.Example(portal),
        policy: policies.OnePolicy(portal),
        policy + "/edit": policy_form.EditPolicy(portal),
        policy + "/run": policies.StartPolicy(portal, dry_run=False),
        policy + "/dry-run": policies.StartPolicy(portal, dry_run=True),
        policy + "/switch": policies.SwitchPolicy(portal),
        policy + "/delete": policies.DeletePolicy(portal),
        execution: executions.OneExecution(portal),
        execution + "/stop": executions.StopExecution(portal),
        execution + "/tasks/{task}/log": executions.TaskLog(portal),
        "/replication/registries": registries.Registries(portal),
        "/replication/registries-new": registries.NewRegistry(portal),
        "/replication/registries-test": registries.TryRegistry(portal),
        "/replication/registries/{number}": registries.EditRegistry(portal),
        "/replication/registries/{number}/delete": registries.DeleteRegistry(portal),
    }


def _refused(req: ApiRequest, resp: ApiResponse, error: Refused, _params: dict[str, str]) -> None:
    """What the API refused a page is told by a page."""
    req.context.page(req, resp, error.sentence, error.status)
