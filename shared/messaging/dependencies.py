"""What every nameko service is given: the settings, and the tally and the note of its process."""

from typing import Any, Final

from nameko.extensions import DependencyProvider

from shared.messaging.note import Note
from shared.metrics.tally import Tally
from shared.settings import Settings

SETTINGS: Final = "breakwater"
TALLY: Final = "breakwater tally"
NOTE: Final = "breakwater note"


def settings_of(container: Any) -> Settings:  # noqa: ANN401 - nameko has no types
    """The Settings that the runner has put into a nameko container's configuration."""
    settings: Settings = container.config[SETTINGS]
    return settings


def tally_of(container: Any) -> Tally:  # noqa: ANN401 - nameko has no types
    """What the process of a nameko container counts in; made where the runner has put none there."""
    tally: Tally = container.config.setdefault(TALLY, Tally())
    return tally


def note_of(container: Any) -> Note:  # noqa: ANN401 - nameko has no types
    """What the process of a nameko container says it lacks; one that is never written where the runner has put none."""
    note: Note = container.config.setdefault(NOTE, Note(settings_of(container).ready_note))
    return note


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


class Noting(DependencyProvider):  # type: ignore[misc]  # nameko has no types
    """The process's Note."""

    def get_dependency(self, _worker: object) -> Note:
        """The same for every worker."""
        return note_of(self.container)
