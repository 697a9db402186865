"""What a person sees: stages and waiting on a terminal that can redraw, plain lines where it cannot."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.table import Table

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)
_lines = Console(highlight=False, emoji=False, soft_wrap=True, width=4_000)


def print_table(table: Table, *, markup: bool = True) -> None:
    """A table; where there is no terminal a row is one line however long: whatever reads it goes by lines."""
    (out if out.is_terminal else _lines).print(table, markup=markup)


class Shown:
    """A Watcher that shows on the terminal what goes on."""

    def __init__(self, status: Status | None) -> None:
        self._status = status
        self._known: set[str] = set()
        self._stage = ""

    def stage(self, sentence: str) -> None:
        """See Watcher."""
        self._stage = sentence
        if self._status:
            self._status.update(f"{sentence} …")
        else:
            out.print(f"{sentence} …")

    def waiting(self, healthy: Sequence[str], missing: Sequence[str]) -> None:
        """See Watcher."""
        for part in healthy:
            if part not in self._known:
                self._known.add(part)
                out.print(f"  [green]✓[/green] {part}")
        if self._status and missing:
            self._status.update(f"{self._stage}: {', '.join(missing)}")


@contextmanager
def shown() -> Iterator[Shown]:
    """Show what goes on until the end of the block."""
    if not out.is_terminal:
        yield Shown(None)
        return
    with out.status("") as status:
        yield Shown(status)
