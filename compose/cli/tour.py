"""`tour`: the main job before one's eyes."""

from compose.cli.terminal import out
from compose.local.layout import Layout
from compose.local.options import Options, read_options
from compose.local.tour import Tour
from shared.secrets import Secret


def tour() -> None:
    """Log in, push, pull, see the audit row and the event: through the public port, as a client does."""
    take_tour(read_options())


def take_tour(options: Options) -> None:
    """Show each step when it is done. Raises TourFailed."""
    password = Secret.read(Layout(options.home).admin_password)
    for step in Tour(options.local_url, "admin", password).steps():
        out.print(f"  [green]✓[/green] {step.done:<28} [dim]{step.result}[/dim]")
