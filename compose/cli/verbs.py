"""The verbs in one place, each imported when it is asked for: all of them together take more than a second."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

PLACES: Final = {
    "up": "lifecycle:bring_up",
    "down": "lifecycle:take_down",
    "status": "lifecycle:show_status",
    "doctor": "doctor:doctor",
    "logs": "logs:logs",
    "tour": "tour:tour",
    "destroy": "lifecycle:destroy",
    "service": "service:app",
    "config": "config:app",
    "admin": "admin:app",
    "keys": "keys:app",
    "events": "events:app",
    "audit": "audit:app",
    "gc": "gc:app",
    "replication": "replication:app",
    "backup": "backup:take_backup",
    "restore": "backup:restore_backup",
    "reconcile": "catalogue:reconcile",
    "adopt": "catalogue:adopt",
    "check": "develop:check",
    "test": "develop:run_tests",
    "test-all": "develop:run_all_tests",
    "test-compose": "develop:run_compose_tests",
    "bench": "bench:app",
    "screenshots": "screenshots:screenshots",
}
"""The module of `compose.cli` and what in it is the verb: a function, or an app with verbs of its own."""
WITHOUT_INSTANCE: Final = {
    "up", "down", "destroy", "restore", "config", "check", "test", "test-all", "test-compose", "bench", "screenshots",
}  # fmt: skip
"""Verbs that do not ask for an instance that was started once."""


class _Commands(MutableMapping[str, Any]):
    """What Typer takes for a dict of all commands."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def __getitem__(self, verb: str) -> Any:  # noqa: ANN401 - Typer's own class of commands is private to it
        if verb not in self._known:
            self._known[verb] = _command(verb, PLACES[verb])
        return self._known[verb]

    def __setitem__(self, verb: str, command: Any) -> None:  # noqa: ANN401 - as above
        self._known[verb] = command

    def __delitem__(self, verb: str) -> None:
        del self._known[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


class Verbs(TyperGroup):
    """For `typer.Typer(cls=Verbs)`."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - whatever Typer knows of the app
        super().__init__(**attributes)
        self.commands = _Commands()


def _command(verb: str, place: str) -> Any:  # noqa: ANN401 - as above
    module, _, name = place.partition(":")
    found = getattr(import_module(f"compose.cli.{module}"), name)
    app = found
    if not isinstance(found, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(verb)(found)
    command = typer.main.get_command(app)
    command.name = verb
    return command
