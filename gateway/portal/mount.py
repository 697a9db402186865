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
from gateway.portal.pages import elsewhere, project, projects, sign_in
from gateway.portal.pages.administration_pages import administration_pages
from gateway.portal.pages.images import image_pages
from gateway.portal.pages.operations import operation_pages
from gateway.portal.pages.project_tabs import project_tabs
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
    app.add_sink(elsewhere.Elsewhere(portal), elsewhere.ADDRESSES)
    app.add_error_handler(Refused, _refused)


def _pages(portal: Portal, sign_in_with: SignIn) -> dict[str, Any]:
    return {
        "/sign-in": sign_in.SignInPage(portal, sign_in_with),
        "/sign-out": sign_in.SignOut(portal),
        "/projects": projects.Projects(portal),
        "/projects/{project}": project.Repositories(portal),
        "/projects-new": projects.NewProject(portal),
        **image_pages(portal),
        **project_tabs(portal),
        **operation_pages(portal),
        **administration_pages(portal),
    }


def _refused(req: ApiRequest, resp: ApiResponse, error: Refused, _params: dict[str, str]) -> None:
    """What the API refused a page is told by a page."""
    req.context.page(req, resp, error.sentence, error.status)
