"""`breakwater bench`: the figures, measured on an instance of its own and beside the bounds they are held against."""

import subprocess
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

CHECKOUT = Path(__file__).resolve().parents[2]

app = typer.Typer(help="Measure Breakwater beside the bounds it is held against.", invoke_without_command=True)


class Measurement(StrEnum):
    """What can be measured alone."""

    MEMORY = "memory"
    """What the Python side holds at rest."""
    TOKENS = "tokens"
    """Tokens a second, and their tail beside guessed passwords."""
    TRANSFERS = "transfers"
    """Push and pull against a bare registry."""
    DETOUR = "detour"
    """Reads of a manifest against a plain proxy in front of the same registry."""
    INTAKE = "intake"
    """Notifications taken one at a time."""
    EVENTS = "events"
    """From commit to audit row while pushes go on."""
    REPLICATION = "replication"
    """Copies to another registry, beside skopeo's."""
    API = "api"
    """The commonest reads of the API, at a thousand projects."""
    LISTS = "lists"
    """Lists of a thousand and of a million rows."""
    PORTAL = "portal"
    """The portal's pages at a thousand projects: weight, server time, and how soon a push shows."""
    COSTS = "costs"
    """What one push, pull, token, event and list page cost, by part."""


@app.callback()
def bench(
    only: Annotated[list[Measurement] | None, typer.Option(help="Measure this alone; may be repeated.")] = None,
    json: Annotated[Path | None, typer.Option(help="Where the figures are written.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Little work: shows that it runs, not how fast.")] = False,
) -> None:
    """Measure, print a table, write a JSON file. Exit code 1 where a goal was missed."""
    path = json or CHECKOUT / "var" / "bench" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    words = [sys.executable, "-m", "tests.bench", "--json", str(path.absolute())]
    words += [word for name in only or [] for word in ("--only", name.value)]
    if small:
        words.append("--small")
    raise typer.Exit(subprocess.run(words, cwd=CHECKOUT, check=False).returncode)
