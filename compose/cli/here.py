"""The instance that a verb is for: the one whose containers it was called among, else the one of this machine."""

import typer

from compose.local.options import Options, read_options
from compose.local.site import Site, existing_site
from shared.errors import BreakwaterError


class NotOffered(BreakwaterError):
    """A verb makes no sense for an instance in containers."""

    code = "NOT_OFFERED"


def contained(context: typer.Context) -> Site | None:
    """The instance whose containers this is called among; None on a machine."""
    return context.find_object(Site)


def options_here(context: typer.Context) -> Options:
    """Its settings. Raises ConfigurationError."""
    site = contained(context)
    return site.options if site else read_options()


def site_here(context: typer.Context) -> Site:
    """All of it. Raises ConfigurationError, NotFound."""
    return contained(context) or existing_site(read_options())
