"""`config`: the instance's settings, and the system's configuration under the names of Harbor's API.

Secrets are never printed and never taken from the command line, where every process could read them.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy.orm import Session

from compose.cli.here import NotOffered, contained
from compose.cli.lifecycle import show_config
from compose.cli.terminal import out, print_table
from compose.local.options import read_options
from services.api.commands.configuration import update_configuration
from services.api.domain.configuration import ITEMS, PER_MINUTE, Item, Value
from services.api.errors import UnfitSetting
from services.api.queries import configuration as queries
from shared.auth.principals import SYSTEM_PREFIX
from shared.db import engine, session_factory, unavailable_when_down
from shared.events import Actor, ActorKind, EventContext
from shared.secrets import Sealer
from shared.settings import Settings, load_settings

OPERATOR = Actor(kind=ActorKind.SYSTEM, name=f"{SYSTEM_PREFIX}operator")
"""Who acts in the record: whoever can run this on the machine."""

app = typer.Typer(help="Show how the instance is set up; list, get and set the system's configuration.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context) -> None:
    """Show the settings that the instance was started with; see list, get and set for the system's configuration."""
    if context.invoked_subcommand is None:
        if contained(context):
            raise NotOffered("docker compose config shows the settings of containers, config list those of the system")
        show_config(read_options())


@app.command("list")
def list_items(as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """List every item of the system's configuration."""
    settings = _settings()
    with _session(settings) as session:
        shown = queries.settings(session, _fixed(settings))
    if as_json:
        out.print_json(json.dumps({key: each.value for key, each in shown.items()}))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("item", "value", ""):
        table.add_column(title)
    for key, each in shown.items():
        table.add_row(key, _text(each.value), "" if each.editable else "[dim]cannot be changed[/dim]")
    print_table(table)


@app.command("get")
def get_item(key: Annotated[str, typer.Argument(help="An item, as `list` names it.")]) -> None:
    """Print one item's value."""
    if _item(key).secret:
        raise UnfitSetting(f"{key} is a secret and is not shown")
    settings = _settings()
    with _session(settings) as session:
        value = (queries.values(session) | _fixed(settings))[key]
    out.print(_text(value), markup=False)


@app.command("set")
def set_item(
    key: Annotated[str, typer.Argument(help="An item, as `list` names it.")],
    value: Annotated[str | None, typer.Argument(help="Its value; a secret is asked for, or read from a pipe.")] = None,
) -> None:
    """Set one item."""
    item = _item(key)
    if item.secret and value is not None:
        raise UnfitSetting(f"{key} is a secret: leave it out here, and it is asked for")
    wanted = _parse(key, item, _secret(key) if item.secret else value)
    settings = _settings()
    context = EventContext(instance_id=settings.instance_id, actor=OPERATOR, user_agent="breakwater config")
    with _session(settings) as session:
        changed = update_configuration(
            session,
            {key: wanted},
            fixed=_fixed(settings),
            sealer=Sealer.read(settings.secrets / "config-key"),
            now=datetime.now(UTC),
            context=context,
        )
    out.print(f"{key} is set" if changed else f"{key} was so already")


def _settings() -> Settings:
    return load_settings(part="core")


@contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    """A session that commits. Raises Unavailable where the database does not answer."""
    bind = engine(settings, pool_size=1)
    try:
        with unavailable_when_down(), session_factory(bind).begin() as session:
            yield session
    finally:
        bind.dispose()


def _fixed(settings: Settings) -> queries.Values:
    return {"token_expiration": settings.token_lifetime_seconds // PER_MINUTE}


def _item(key: str) -> Item:
    if key not in ITEMS:
        raise UnfitSetting(f"there is no item {key!r}: `config list` names them all")
    return ITEMS[key]


def _parse(key: str, item: Item, text: str | None) -> Value:
    """A value in the item's type. Raises UnfitSetting."""
    if text is None:
        raise UnfitSetting(f"{key} needs a value")
    if isinstance(item.default, str):
        return text
    if isinstance(item.default, bool):
        words = {"true": True, "false": False}
        if text.lower() not in words:
            raise UnfitSetting(f"{key} must be true or false")
        return words[text.lower()]
    try:
        return int(text)
    except ValueError as error:
        raise UnfitSetting(f"{key} must be an integer") from error


def _secret(key: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(key, hide_input=True, confirmation_prompt=True, default="", show_default=False))
    return sys.stdin.readline().rstrip("\n")


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
