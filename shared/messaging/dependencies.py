"""What every nameko service is given: the settings."""

from typing import Any, Final

from nameko.extensions import DependencyProvider

from shared.settings import Settings

SETTINGS: Final = "breakwater"


def settings_of(container: Any) -> Settings:  # noqa: ANN401 - nameko has no types
    """The Settings that the runner has put into a nameko container's configuration."""
    settings: Settings = container.config[SETTINGS]
    return settings


class Configured(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The process's Settings."""

    def get_dependency(self, _worker: object) -> Settings:
        """The same for every worker."""
        return settings_of(self.container)
