"""`python -m shared.migrations upgrade`: bring the database to the newest revision; `current`: print the one it has."""

import sys

from shared.errors import BreakwaterError
from shared.migrations.run import current, upgrade
from shared.settings import load_settings


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    commands = {"upgrade": upgrade, "current": current}
    if len(arguments) != 1 or arguments[0] not in commands:
        sys.stderr.write("usage: python -m shared.migrations upgrade|current\n")
        return 2
    try:
        sys.stdout.write(f"{commands[arguments[0]](load_settings(part='owner'))}\n")
    except BreakwaterError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
