"""`admin`: accounts, for whoever runs the machine; it needs nobody's password.

A password is asked for, read from a pipe or made here; it is never taken from the command line, where every process
could read it.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from sqlalchemy.orm import Session

from compose.cli.session import operator_context, session_of
from compose.cli.terminal import out, print_table
from compose.local.credentials import new_password
from services.api.commands.user import change_password, set_disabled
from services.api.domain.user import FIRST_ADMIN, User
from services.api.errors import NoSuchUser
from services.api.queries.user import find_user
from services.token.commands import revoke_refresh_tokens
from services.token.queries import list_refresh_tokens
from shared import directory
from shared.errors import NotFound
from shared.listing import Listing
from shared.secrets import Secret, write_secret
from shared.settings import Settings, load_settings

app = typer.Typer(help="Accounts and their refresh tokens.", no_args_is_help=True)
user_app = typer.Typer(help="Shut an account out, or let it in again.", no_args_is_help=True)
tokens_app = typer.Typer(help="What docker clients keep in place of a password.", no_args_is_help=True)
app.add_typer(user_app, name="user")
app.add_typer(tokens_app, name="refresh-tokens")

Name = Annotated[str, typer.Argument(metavar="USER", help="The account's name.")]


@app.command("reset-password")
def reset_password(
    user: Annotated[str, typer.Argument(metavar="[USER]", help="The account's name.")] = "admin",
    generate: Annotated[bool, typer.Option("--generate", help="Make a password and print it, once.")] = False,
) -> None:
    """Set an account's password; whoever is logged in with the old one is out, refresh tokens too."""
    settings = load_settings(part="core")
    password = Secret(new_password()) if generate else _asked(user)
    with session_of(settings) as session:
        account = _account(session, user)
        change_password(
            session, account.id, password, old=None, now=_now(), context=operator_context(settings, "admin")
        )
    if account.id == FIRST_ADMIN:
        _keep(settings, password)
    if generate:
        sys.stdout.write(f"{password.reveal()}\n")
    else:
        out.print(f"{account.username} has a new password", markup=False)


@user_app.command("disable")
def disable(user: Name) -> None:
    """Shut an account out: its next token, login or request is refused."""
    _set_disabled(user, flag=True)


@user_app.command("enable")
def enable(user: Name) -> None:
    """Let an account in again."""
    _set_disabled(user, flag=False)


@tokens_app.command("list")
def list_tokens(user: Name) -> None:
    """List the refresh tokens of an account that are good; their text is known to the client alone."""
    with session_of(load_settings(part="token")) as session:
        everything = Listing(page_size=0)
        found = list_refresh_tokens(session, _user_id(session, user)[0], everything, now=_now()).records
    table = Table(box=None, pad_edge=False)
    for title in ("id", "client", "address", "made", "last used", "good until"):
        table.add_column(title)
    for token in found:
        moments = (token.created_at, token.used_at, token.expires_at)
        shown = (f"{moment:%Y-%m-%d %H:%M}" if moment else "never" for moment in moments)
        table.add_row(str(token.id), token.client_id, token.address, *shown)
    if found:
        print_table(table, markup=False)
    else:
        out.print(f"{user} has no refresh tokens", markup=False)


@tokens_app.command("revoke")
def revoke_tokens(
    user: Name,
    token_id: Annotated[UUID | None, typer.Option("--id", help="This one alone, as `list` names it.")] = None,
) -> None:
    """Revoke an account's refresh tokens: its docker clients have to log in again."""
    settings = load_settings(part="token")
    with session_of(settings) as session:
        user_id, name = _user_id(session, user)
        context = operator_context(settings, "admin")
        revoked = revoke_refresh_tokens(session, user_id, name, token_id=token_id, now=_now(), context=context)
    if token_id and not revoked:
        raise NotFound(f"{user} has no refresh token {token_id} that is good")
    out.print(f"{revoked} refresh tokens of {name} are revoked", markup=False)


def _set_disabled(user: str, *, flag: bool) -> None:
    settings = load_settings(part="core")
    with session_of(settings) as session:
        account = _account(session, user)
        set_disabled(session, account.id, flag=flag, now=_now(), context=operator_context(settings, "admin"))
    out.print(f"{account.username} is {'disabled' if flag else 'enabled'}", markup=False)


def _account(session: Session, name: str) -> User:
    found = find_user(session, name)
    if found is None:
        raise NoSuchUser(f"there is no account {name!r}")
    return found


def _user_id(session: Session, name: str) -> tuple[int, str]:
    """The token mount's role knows accounts by the directory alone."""
    found = directory.find_user(directory.plain(session), name)
    if found is None:
        raise NoSuchUser(f"there is no account {name!r}")
    return found.id, found.name


def _asked(user: str) -> Secret:
    if sys.stdin.isatty():
        return Secret(typer.prompt(f"New password of {user}", hide_input=True, confirmation_prompt=True))
    return Secret(sys.stdin.readline().rstrip("\n"))


def _keep(settings: Settings, password: Secret) -> None:
    """The file that `up` names keeps telling the first administrator's password."""
    file = settings.secrets / "admin-password"
    if file.exists():
        write_secret(file, password.reveal() + "\n")


def _now() -> datetime:
    return datetime.now(UTC)
