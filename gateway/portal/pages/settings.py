"""The system's configuration, but for the directory's."""

from typing import Any, Final

from gateway.core.request import ApiRequest, ApiResponse
from gateway.portal.banner import KINDS, Banner, parse_banner
from gateway.portal.errors import Refused
from gateway.portal.forms import Form, read_form
from gateway.portal.pages.administration import admin_page
from gateway.portal.pages.setting_fields import Kind, Section, Setting, closed, form_of, values_of
from gateway.portal.portal import Page

SECTIONS: Final = (
    Section(
        name="state", title="State",
        settings=(
            Setting(
                key="read_only", label="Read-only mode", kind=Kind.FLAG,
                hint="Stops every change: pushes, deletions, and all settings but this page. Pulls go on.",
            ),
        ),
    ),
    Section(
        name="projects", title="Projects",
        settings=(
            Setting(
                key="project_creation_restriction", label="Who may make projects", kind=Kind.CHOICE,
                options=(("everyone", "Everybody with an account"), ("adminonly", "System administrators")),
            ),
            Setting(
                key="quota_per_project_enable", label="Limit what projects store", kind=Kind.FLAG,
                hint="Without it limits are kept and shown, but nothing is refused for them.",
            ),
            Setting(
                key="storage_per_project", label="Limit of new projects in GiB", kind=Kind.STORAGE,
                hint="Empty: no limit. Projects that there are keep theirs.",
            ),
            Setting(
                key="notification_enable", label="Webhooks", kind=Kind.FLAG,
                hint="Without it no project's webhooks are called.",
            ),
        ),
    ),
    Section(
        name="access", title="Sessions and tokens",
        settings=(
            Setting(
                key="session_timeout", label="Minutes until an idle session ends", kind=Kind.NUMBER, required=True,
                hint="Of this portal, 1 to 43,200. Every session ends after 12 hours at the latest.",
            ),
            Setting(
                key="token_expiration", label="Minutes that a registry token lives", kind=Kind.NUMBER,
                hint="Set where Breakwater is started, by BREAKWATER_TOKEN_LIFETIME_SECONDS.",
            ),
        ),
    ),
    Section(
        name="robots", title="Robot accounts",
        settings=(
            Setting(
                key="robot_name_prefix", label="Prefix of names", required=True,
                hint="A short word that ends with $. It changes the names of all robot accounts at once: whoever signs"
                " in as one has to use the new name.",
            ),
            Setting(
                key="robot_token_duration", label="Days until a new robot account ends", kind=Kind.NUMBER,
                required=True, hint="Where nothing else is said when it is made. 1 to 36,500.",
            ),
        ),
    ),
)  # fmt: skip
_BANNER: Final = "banner_message"


class Settings(Page):
    """/admin/settings."""

    @admin_page
    def on_get(self, req: ApiRequest, resp: ApiResponse) -> None:
        """What is so now."""
        configuration = self.portal.api(req).get("/configurations")
        banner = parse_banner(configuration[_BANNER]["value"])
        self._show(req, resp, configuration, form_of(configuration, SECTIONS), banner)

    @admin_page
    def on_post(self, req: ApiRequest, resp: ApiResponse) -> None:
        """Save it, all or nothing. Raises ForeignForm, BadForm."""
        form = read_form(req)
        api = self.portal.api(req)
        configuration = api.get("/configurations")
        banner = Banner(message=form.text("banner"), kind=form.text("banner_kind") or "info")
        try:
            values = values_of(form, SECTIONS, configuration)
            if banner != parse_banner(configuration[_BANNER]["value"]):
                values[_BANNER] = banner.stored()
            api.send("PUT", "/configurations", values)
        except Refused as refused:
            self._show(req, resp, configuration, form, banner, refused)
        else:
            self.portal.banner.forget()
            self.portal.go(req, resp, "/admin/settings", "The configuration is saved.")

    def _show(
        self, req: ApiRequest, resp: ApiResponse, configuration: dict[str, Any], form: Form, banner: Banner,
        refused: Refused | None = None,
    ) -> None:  # fmt: skip
        self.portal.show(
            req, resp, "settings.html", status=refused.status if refused else 200,
            sentence=refused.sentence if refused else "", form=form, sections=SECTIONS, banner_now=banner,
            kinds=list(KINDS.items()), shut=closed(configuration, SECTIONS),
            is_read_only=configuration["read_only"]["value"],
        )  # fmt: skip
