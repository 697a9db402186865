"""`keys`: the keys that sign registry tokens. Nothing has to be restarted after a rotation."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import typer
from rich.table import Table

from compose.cli.here import contained, options_here
from compose.cli.session import operator_context, session_of
from compose.cli.terminal import out, print_table
from compose.docker.handing import ALONE, READ_KEYS, hand_out
from compose.local.accounts import known_accounts
from compose.local.layout import Layout
from compose.local.site import Site
from compose.local.state import exclusively
from compose.local.supervision import Supervisor
from services.token import keys
from services.token.certificates import BACKDATED
from services.token.keys import KeyRing, Rotation
from shared.events import emit
from shared.events.definitions.signing_key import SigningKeyRotated
from shared.settings import Settings, load_settings

app = typer.Typer(help="The keys that sign registry tokens.", no_args_is_help=True)


@app.command("rotate")
def rotate(context: typer.Context) -> None:
    """Let the next key sign from now on. Pushes and pulls go on, and so do the tokens that are out."""
    done = _turn(keys.rotate, contained(context))
    out.print(f"{done.current} signs from now on", markup=False)
    out.print(f"{done.previous} signed before; its tokens stay good for their minutes", markup=False)


@app.command("renew")
def renew(context: typer.Context) -> None:
    """Make a new root and new keys, after a theft, and restart the registry: every token that is out is void."""
    site = contained(context)
    supervisor = Supervisor(Layout(options_here(context).home))
    done = _turn(keys.renew, site)
    out.print(f"{done.current} signs from now on, under a new root", markup=False)
    if site:
        out.print("docker compose restart registry, now: until then it takes what older keys have signed alone")
    elif supervisor.is_running():
        supervisor.stop(["registry"])
        supervisor.start(["registry"])
        out.print("the registry has been restarted: it no longer takes anything that an older key has signed")
    else:
        out.print("restart the registry now: until then it takes what older keys have signed, and nothing newer")


@app.command("list")
def list_keys() -> None:
    """Show the root, and the previous, current and next key with their ids and ends."""
    table = Table(box=None, pad_edge=False)
    for title in ("turn", "key id", "made", "good until"):
        table.add_column(title)
    for row in _rows(keys.read_ring(_folder(load_settings(part="token")))):
        table.add_row(*row)
    print_table(table)


def _turn(change: Callable[[Path, Path, datetime], Rotation], site: Site | None) -> Rotation:
    """Change the keys, hand them out where each part has its own volume, and tell of it."""
    settings = load_settings(part="token")
    alone = exclusively(site.layout.restored_dump.parent, ALONE) if site else nullcontext()
    with alone, session_of(settings) as session:
        session.connection()  # before anything is changed: the change has to get into the record
        done = change(_folder(settings), _bundle(settings), datetime.now(UTC))
        if site:
            hand_out(site.layout, known_accounts(), READ_KEYS)
        event = SigningKeyRotated(kid=done.current, previous_kid=done.previous)
        emit(session, event, context=operator_context(settings, "keys"))
    return done


def _rows(ring: KeyRing) -> Iterator[tuple[str, str, str, str]]:
    turns = (("previous", ring.previous), ("current", ring.current), ("next", ring.next))
    found = [("root", "", ring.root), *((turn, key.kid, key.certificate) for turn, key in turns if key)]
    for turn, kid, certificate in found:
        made = certificate.not_valid_before_utc + BACKDATED
        yield turn, kid, f"{made:%Y-%m-%d}", f"{certificate.not_valid_after_utc:%Y-%m-%d}"


def _folder(settings: Settings) -> Path:
    return settings.secrets / "token" / "signing"


def _bundle(settings: Settings) -> Path:
    return settings.secrets / "registry" / "bundle.pem"
