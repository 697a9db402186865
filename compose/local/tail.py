"""A part's last words, from what it last said: there also when rsyslogd itself cannot start."""

from pathlib import Path

_BLOCK = 64 * 1024


def last_lines(file: Path, count: int) -> list[str]:
    """The last lines of a file; none where there is no file."""
    try:
        with file.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - _BLOCK))
            return stream.read().decode("utf-8", errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
