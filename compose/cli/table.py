"""`status` as a table."""

from rich.table import Table

from compose.local.status import PartStatus, Status

_KIB, _DAY, _HOUR, _MINUTE = 1024, 86_400, 3_600, 60
MEMORY_GOAL = 600 * _KIB**2
"""What the Python side is to stay under at rest."""


def status_table(status: Status) -> Table:
    """The parts, one a line."""
    table = Table(box=None, pad_edge=False)
    for title in ("part", "state", "pid", "up", "memory"):
        table.add_column(title, justify="left" if title in {"part", "state"} else "right")
    for part in status.parts:
        table.add_row(part.part, _state(part), str(part.pid or ""), _duration(part.seconds), _memory(part))
    return table


def memory_line(status: Status) -> str:
    """The sum of the Python side, each shared page counted once."""
    memory = status.python_memory
    least = "" if memory.complete else "at least "
    return f"Python side: {least}{memory.bytes / _KIB**2:.0f} MB of {MEMORY_GOAL / _KIB**2:.0f} MB"


def _state(part: PartStatus) -> str:
    if part.waits_for:
        return f"[yellow]alive, waits for {part.waits_for}[/yellow]"
    if part.healthy:
        return "[green]healthy[/green]"
    if part.state == "RUNNING":
        return "[yellow]running, does not answer[/yellow]"
    return f"[red]{part.state.lower()}[/red]"


def _memory(part: PartStatus) -> str:
    if not part.memory.bytes:
        return ""
    return f"{part.memory.bytes / _KIB**2:.0f} MB"


def _duration(seconds: float) -> str:
    if not seconds:
        return ""
    whole = int(seconds)
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
