"""The system's configuration, but for the directory's."""

from typing import Any, Final

from gateway.portal.banner import KINDS, Banner, parse_banner
from gateway.portal.forms import Form
from gateway.portal.pages.setting_fields import ConfigurationPage, ConfigurationVisit, Kind, Section, Setting
from gateway.portal.pages.sheets import filled

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
        name="replication", title="Replication",
        settings=(
            Setting(
                key="replication_history", label="Runs of a policy that are kept", kind=Kind.NUMBER, required=True,
                hint="The newest ones, with their tasks and logs. 1 to 10,000.",
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


class Settings(ConfigurationPage):
    """/admin/settings."""

    template = "settings.html"
    sections = SECTIONS
    saved = "The configuration is saved."

    def first(self, visit: ConfigurationVisit) -> Form:
        """As it is."""
        banner = _banner(visit)
        return super().first(visit) | filled({"banner": banner.message, "banner_kind": banner.kind})

    def values(self, visit: ConfigurationVisit, form: Form) -> dict[str, Any]:
        """The banner besides, and whether everything else is shut."""
        is_read_only = visit.configuration["read_only"]["value"]
        return super().values(visit, form) | {"kinds": list(KINDS.items()), "is_read_only": is_read_only}

    def wanted(self, visit: ConfigurationVisit, form: Form) -> dict[str, Any]:
        """The banner only where it is another one: what stored it may have said it in other words."""
        banner = Banner(message=form.text("banner"), kind=form.text("banner_kind") or "info")
        changed = {} if banner == _banner(visit) else {_BANNER: banner.stored()}
        return super().wanted(visit, form) | changed

    def act(self, visit: ConfigurationVisit, form: Form) -> None:
        """Save it."""
        super().act(visit, form)
        self.portal.banner.forget()


def _banner(visit: ConfigurationVisit) -> Banner:
    return parse_banner(visit.configuration[_BANNER]["value"])
