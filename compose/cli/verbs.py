"""The verbs in one place, each imported when it is asked for: all of them together take more than a second."""

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from compose.cli.here import NotOffered
from compose.local.site import Site

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

INSTEAD: Final = {
    "up": "docker compose up -d starts the containers",
    "down": "docker compose down stops the containers",
    "status": "docker compose ps tells how each container is",
    "logs": "docker compose exec -T log tail /var/lib/breakwater/log/core.log shows what the part core says",
    "tour": "log in, push and pull with docker: docs/containers.md tells where the password is",
    "destroy": "docker compose down --volumes removes the containers with all data",
    "service": "the docker engine starts the containers at boot: docs/containers.md tells what else it needs",
    "check": "a checkout of the code has it",
    "test": "a checkout of the code has it",
    "test-all": "a checkout of the code has it",
    "test-compose": "a checkout of the code has it",
    "bench": "a checkout of the code has it",
    "screenshots": "a checkout of the code has it",
}
"""Verbs that there are not for an instance in containers, and what there is."""


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

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own class of contexts is private to it
        """Those that there are for the instance in question."""
        return [verb for verb in super().list_commands(ctx) if not (_is_contained(ctx) and verb in INSTEAD)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - as above
        """Raises NotOffered."""
        if _is_contained(ctx) and cmd_name in INSTEAD:
            raise NotOffered(f"there is no {cmd_name} among containers: {INSTEAD[cmd_name]}")
        return super().get_command(ctx, cmd_name)


def _is_contained(ctx: Any) -> bool:  # noqa: ANN401 - as above
    return ctx.find_object(Site) is not None


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
