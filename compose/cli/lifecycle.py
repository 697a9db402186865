"""`up`, `down`, `status`, `destroy`, `config`: an instance's life."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from compose.cli.table import memory_line, status_table
from compose.cli.terminal import err, out, print_table, shown
from compose.local import down as stopping
from compose.local.certificate import certificate_warning
from compose.local.layout import Layout
from compose.local.options import Options, read_options
from compose.local.site import existing_site
from compose.local.status import status
from compose.local.up import Outcome, up
from shared.errors import NotFound


def bring_up(
    tour: Annotated[bool | None, typer.Option("--tour/--no-tour", help="By default taken the first time.")] = None,
) -> None:
    """Start what does not run or is out of date, and wait until every part is healthy."""
    options = read_options()
    with shown() as watcher:
        outcome = up(options, watcher)
    if not outcome.started:
        out.print(f"everything runs already: {options.public_url}")
    if outcome.first if tour is None else tour:
        from compose.cli.tour import take_tour  # noqa: PLC0415 - an HTTP client, for the first time alone

        out.print("\nThe tour:")
        take_tour(options)
    if outcome.started:
        _tell(outcome, options)
    _warn(options)


def take_down() -> None:
    """Stop everything; the data stays."""
    with shown() as watcher:
        ran = stopping.down(Layout(read_options().home), watcher)
    out.print("stopped; the data is kept" if ran else "nothing was running")


def show_status() -> None:
    """Show the parts, since when they run and what memory they take. Exit code 1 where one is not healthy."""
    options = read_options()
    found = status(existing_site(options))
    if found is None:
        raise NotFound(f"the instance in {options.home} is stopped: ./breakwater up starts it")
    out.print(f"{options.public_url}  [dim]{options.home}[/dim]")
    print_table(status_table(found))
    out.print(memory_line(found))
    _warn(options)
    if not found.healthy:
        raise typer.Exit(1)


def destroy(
    yes: Annotated[bool, typer.Option("--yes", help="Really remove all images, accounts, records and keys.")] = False,
) -> None:
    """Stop everything and remove all data."""
    options = read_options()
    layout = Layout(options.home)
    if not yes:
        raise typer.BadParameter(
            f"this removes all images, accounts, records and keys in {layout.home}; say --yes to do it",
            param_hint="--yes",
        )
    with shown() as watcher:
        there = stopping.destroy(layout, watcher)
    out.print(f"removed what was in {layout.home}" if there else f"there is no instance in {layout.home}")
    if there and options.database_host:
        place = f"{options.database_name} at {options.database_host}"
        out.print(f"the database {place} stays: drop it and its roles yourself", markup=False)
    if there and options.amqp_host:
        place = f"{options.amqp_vhost} at {options.amqp_host}"
        out.print(f"the virtual host {place} stays: delete it and its users yourself", markup=False)
    if there and options.s3_bucket:
        out.print(f"the images stay in the bucket {options.s3_bucket}: empty it yourself")


def show_config(options: Options) -> None:
    """Show the settings in force: from the environment, or as they were at the last `up`, or by default."""
    for name, value in options.model_dump(mode="json").items():
        out.print(f"BREAKWATER_{name.upper()}={'' if value is None else value}", markup=False)


def _warn(options: Options) -> None:
    warning = certificate_warning(Layout(options.home), datetime.now(UTC))
    if warning:
        err.print(warning, style="yellow", markup=False)


def _tell(outcome: Outcome, options: Options) -> None:
    layout = outcome.site.layout
    out.print(f"\n[bold green]Breakwater is up[/bold green] after {outcome.seconds:.0f} s: [bold]{options.public_url}")
    out.print(f"The administrator is [bold]admin[/bold]; the password is in {layout.admin_password}")
    if not outcome.separate:
        out.print("[yellow]Not root: all parts run as one user, so the signing key is not kept from the others.")
    host = options.public_url.partition("://")[2]
    out.print("\nTo try it:")
    out.print(f"  docker login -u admin --password-stdin {host} <{layout.admin_password}")
    out.print(f"  docker tag alpine {host}/library/alpine && docker push {host}/library/alpine")
    out.print(f"  docker pull {host}/library/alpine")
