"""What an instance remembers of its last start, and the lock that lets one `up` or `down` act at a time."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from shared.errors import BreakwaterError

STATE = "state.json"
LOCK = "lock"


class Busy(BreakwaterError):
    """Another command is changing this instance."""

    code = "BUSY"
    default = "another ./breakwater up, down or destroy of this instance is at work: wait until it ends"


def started_with(home: Path) -> dict[str, str]:
    """The fingerprints that the parts were started with; empty where nothing is known."""
    try:
        values: dict[str, str] = json.loads(home.joinpath(STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values


def note_start(home: Path, fingerprints: Mapping[str, str]) -> None:
    """Keep the fingerprints for the next `up`."""
    beside = home / f".{STATE}"
    beside.write_text(json.dumps(fingerprints, indent=1) + "\n", encoding="utf-8")
    beside.replace(home / STATE)


@contextmanager
def exclusively(folder: Path, sentence: str = Busy.default) -> Iterator[None]:
    """Hold the lock of the instance in this home. Raises Busy with this sentence where another command has it."""
    folder.mkdir(parents=True, exist_ok=True)
    with folder.joinpath(LOCK).open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(sentence) from error
        yield
