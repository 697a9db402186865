"""Writes the tables of docs/metrics.md from what is declared: `python -m gateway.core.metrics.docs [FILE]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.core.metrics.components import READABLE, build_components
from gateway.core.metrics.family import Family
from shared.settings import Settings

PAGE: Final = Path(__file__).parents[3] / "docs" / "metrics.md"
_BEGIN: Final = "<!-- from here on made by `python -m gateway.core.metrics.docs` -->\n"
_END: Final = "<!-- up to here -->\n"


def families() -> dict[str, tuple[Family, ...]]:
    """All that can be told, by component; what is told of each component itself goes with the parts."""
    nowhere = Path("/nonexistent")
    components = build_components(Settings(home=nowhere, run=nowhere))
    return {
        name: (*component.catalogue, *([READABLE] if name == "parts" else ()))
        for name, component in components.items()
    }


def with_tables(page: str) -> str:
    """The page with its tables as they are now. Raises ValueError where it has no place for them."""
    before, _, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not end:
        raise ValueError(f"the page lacks the line {_BEGIN.strip()} or the line {_END.strip()}")
    return "".join((before, _BEGIN, *_tables(), "\n", _END, after))


def _tables() -> Iterator[str]:
    for component, told in families().items():
        yield f"\n### {component}\n\n| metric | type | labels | what it tells |\n| --- | --- | --- | --- |\n"
        for family in told:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            yield f"| `{family.full_name}` | {family.kind} | {labels} | {family.meaning} |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    file.write_text(with_tables(file.read_text(encoding="utf-8")), encoding="utf-8")
