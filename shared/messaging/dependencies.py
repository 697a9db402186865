"""What every nameko service is given: the settings, and the tally of its process."""

from typing import Any, Final

from nameko.extensions import DependencyProvider

from shared.metrics.tally import Tally
from shared.settings import Settings

SETTINGS: Final = "breakwater"
TALLY: Final = "breakwater tally"


def settings_of(container: Any) -> Settings:  # noqa: ANN401 - nameko has no types
    """The Settings that the runner has put into a nameko container's configuration."""
    settings: Settings = container.config[SETTINGS]
    return settings


def tally_of(container: Any) -> Tally:  # noqa: ANN401 - nameko has no types
    """What the process of a nameko container counts in; made where the runner has put none there."""
    tally: Tally = container.config.setdefault(TALLY, Tally())
    return tally


class Configured(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The process's Settings."""

    def get_dependency(self, _worker: object) -> Settings:
        """The same for every worker."""
        return settings_of(self.container)


class Counting(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The process's Tally."""

    def get_dependency(self, _worker: object) -> Tally:
        """The same for every worker."""
        return tally_of(self.container)
