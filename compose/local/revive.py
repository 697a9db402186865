"""A plug-in of supervisord: a part that was given up is started again each minute, for ever.

Without it an outage longer than supervisord's patience would need a person to end it.
"""

from collections.abc import Callable
from typing import Any

from supervisor.events import Tick60Event, subscribe
from supervisor.states import ProcessStates


class Revival:
    """Holds no remote procedures: supervisord wants an object for its namespace."""


def make(supervisord: Any, **_config: str) -> Revival:  # noqa: ANN401 - supervisord is untyped
    """Called by supervisord once, at its start."""
    subscribe(Tick60Event, reviver(supervisord))
    return Revival()


def reviver(supervisord: Any) -> Callable[[object], None]:  # noqa: ANN401 - supervisord is untyped
    """What is done at each tick."""

    def revive(_tick: object) -> None:
        for group in supervisord.process_groups.values():
            for process in group.processes.values():
                if process.get_state() == ProcessStates.FATAL:
                    process.spawn()

    return revive
