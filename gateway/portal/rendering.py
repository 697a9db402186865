"""Pages from templates: everything is escaped, a name that a template misspells is an error, and no style is inline."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEPS: Final = (
    (60, 1, "second"), (3600, 60, "minute"), (86_400, 3600, "hour"), (30 * 86_400, 86_400, "day"),
    (365 * 86_400, 30 * 86_400, "month"),
)  # fmt: skip
_NEVER: Final = "0001-01-01T00:00:00"
_DIGEST_SHOWN: Final = 12
SHEET: Final = "sheet"
"""The block that a form is, and the id of the dialog that it is shown in."""


class Templates:
    """Renders whole pages, or one block of a page for a part of it that is exchanged."""

    def __init__(self, **names: object) -> None:
        """`names` are known in every template."""
        self._names = names

    @cached_property
    def _environment(self) -> Environment:
        """Made for the first page: a process that shows none holds nothing of it."""
        environment = Environment(
            loader=PackageLoader("gateway.portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters.update(
            size=size, moment=moment, ago=ago, short=short_digest, segment=address_segment, count=count,
            percent=percent, sentence=as_sentence,
        )  # fmt: skip
        environment.globals.update(self._names, sheet_level=1)
        environment.globals["ui"] = environment.get_template("parts.html").module
        return environment

    @cached_property
    def _ui_in_dialog(self) -> object:
        """The parts of pages as they are in the dialog: the page behind it has the first heading."""
        return self._environment.get_template("parts.html").make_module({"sheet_level": 2})

    def page(self, name: str, values: Mapping[str, Any]) -> str:
        """A whole template."""
        return self._environment.get_template(name).render(values)

    def block(self, name: str, block: str, values: Mapping[str, Any]) -> str:
        """One block of a template; its block `sheet` for the dialog."""
        template = self._environment.get_template(name)
        if block == SHEET:
            values = {**values, "ui": self._ui_in_dialog}
        render: Callable[..., Any] = template.blocks[block]
        return "".join(render(template.new_context(dict(values))))


def size(number: float | None) -> str:
    """Bytes for people, in powers of 1024: `1.2 MiB`; without a limit it is unlimited."""
    if number is None or number < 0:
        return "unlimited"
    value, unit = float(number), 0
    while value >= 1024 and unit < len(_UNITS) - 1:  # noqa: PLR2004
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"  # noqa: PLR2004


def as_sentence(text: str) -> str:
    """The API's words with a capital at the beginning, unless it is a field's name, and a full stop at the end."""
    text = text.strip()
    begin = text[:1] if "_" in text.partition(" ")[0] else text[:1].upper()
    return begin + text[1:] + ("" if text.endswith((".", "?")) else ".") if text else ""


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 tag`, `2,000 tags`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def percent(used: float, limit: float) -> int:
    """How much of a limit is used, 0 to 100 and more."""
    return round(100 * used / limit) if limit > 0 else 0


def moment(text: str | None) -> Markup:
    """A time of the API as an element that says how long ago, and exactly when."""
    at = _time(text)
    if at is None:
        return Markup('<span class="soft">never</span>')
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(at.isoformat(), exact, ago(text))


def ago(text: str | None, now: datetime | None = None) -> str:
    """`3 minutes ago`, `in 2 hours`; `never` where there is no time."""
    at = _time(text)
    if at is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    distance = abs(seconds)
    if distance < 10:  # noqa: PLR2004
        return "just now"
    for bound, unit, name in _STEPS:
        if distance < bound:
            said = count(int(distance // unit), name)
            break
    else:
        return at.strftime("%Y-%m-%d")
    return f"{said} ago" if seconds > 0 else f"in {said}"


def short_digest(digest: str | None) -> str:
    """A digest as people compare it: `sha256:0123456789ab`."""
    algorithm, _, code = (digest or "").partition(":")
    return f"{algorithm}:{code[:_DIGEST_SHOWN]}" if code else digest or ""


def address_segment(text: object) -> str:
    """A name as a part of one of our addresses; slashes stay."""
    return quote(str(text), safe="/:@+")


def highlight(text: str, wanted: str) -> Markup:
    """A text with what was searched for marked in it."""
    at = text.lower().find(wanted.lower()) if wanted else -1
    if at < 0:
        return escape(text)
    end = at + len(wanted)
    return Markup("{}<mark>{}</mark>{}").format(text[:at], text[at:end], text[end:])


def _time(text: str | None) -> datetime | None:
    if not text or text.startswith(_NEVER):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
