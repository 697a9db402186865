"""`breakwater screenshots`: pictures of the portal, taken of an instance of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from compose.local.options import CHECKOUT, read_options


def screenshots(
    folder: Annotated[Path | None, typer.Option(help="Where the pictures are written, if not in docs/.")] = None,
) -> None:
    """Take a picture of every page, light and dark, of an instance of its own with a company's content."""
    # beside the script that was called: the code may run from a copy
    place = folder or read_options().command.parent / "docs" / "screenshots"
    words = [sys.executable, "-m", "tests.portal.screenshots", "--folder", str(place.absolute())]
    raise typer.Exit(subprocess.run(words, cwd=CHECKOUT, check=False).returncode)
