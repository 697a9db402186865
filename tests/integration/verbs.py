"""A verb as it is typed, without an instance that `up` has made: the settings stand in the environment."""

import sys
from typing import Final

_RUN: Final = """
import sys
from importlib import import_module
from shared.errors import BreakwaterError
try:
    import_module(f"compose.cli.{sys.argv[1]}").app(sys.argv[2:], prog_name="breakwater")
except BreakwaterError as error:
    sys.exit(error.sentence)
"""


def verb(name: str, *arguments: str) -> list[str]:
    """The command line of a verb."""
    return [sys.executable, "-c", _RUN, name, *arguments]
