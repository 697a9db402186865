"""Templates to text. What a template needs is prepared in a view model; templates hold loops and conditions only."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - configuration files, not pages
)


def render(template: str, view: Mapping[str, object]) -> str:
    """The text of one template."""
    return _TEMPLATES.get_template(f"{template}.j2").render(view)
