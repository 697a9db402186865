"""Writes docs/configuration.md, every setting there is: `python -m compose.docs [FILE]`."""

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic.fields import FieldInfo

from compose.local.options import CHECKOUT, Options
from gateway.portal.pages import directory, settings
from services.api.domain.configuration import ITEMS, Item

PAGE: Final = CHECKOUT / "docs" / "configuration.md"
COMPOSE: Final = tuple(sorted((CHECKOUT / "compose" / "docker").glob("compose*.yaml")))
_VARIABLE: Final = re.compile(r"\$\{(BREAKWATER_[A-Z0-9_]+):-([^}]*)\}")
_NO_VOLUMES: Final = frozenset({"no-certificate", "no-authorities"})
"""Empty volumes, where no folder is given."""
_MEMORY: Final = "BREAKWATER_(?P<part>[A-Z]+)_MEMORY"
_OF_CONTAINERS: Final = {
    "BREAKWATER_AMQP_CA_FOLDER": "a folder of the host with `ca.crt`, in place of `_AMQP_CA`",
    "BREAKWATER_BASE": "the Debian base of the images that are built from packages alone",
    "BREAKWATER_DATABASE_CA_FOLDER": "a folder of the host with `ca.crt`, in place of `_DATABASE_CA`",
    "BREAKWATER_ENGINE_ROOT": "where the engine keeps its data, as `docker info` tells; the log's socket is there",
    "BREAKWATER_REDIRECT_PORT": "with `compose.redirect.yaml`: the port that leads from `http://` to the other",
    "BREAKWATER_TLS_FOLDER": "a folder of the host with `tls.crt` and `tls.key`, PEM",
}
_IN_OTHER_WORDS: Final = {
    "read_only": "Nobody changes anything: pushes and changes are refused, also administrators'.",
    "banner_message": "A line above every page of the portal, with its kind and until when, as Harbor writes it: JSON.",
    "storage_per_project": "Projects: Limit of new projects in bytes, -1 for none. Those that there are keep theirs.",
    **dict.fromkeys(
        ("ldap_group_attach_parallel", "oidc_auto_onboard", "oidc_verify_cert"),
        "Kept as clients of Harbor set it; it changes nothing.",
    ),
}
"""Items that no form of the portal shows as the API has them."""

_INTRODUCTION: Final = """\
# Configuration

Made from the code by `python -m compose.docs`.

What an instance is started with are variables of the environment, which `./breakwater up` remembers in the home: a
later `up`, `status` or `service` needs none of them again. An empty one takes an optional setting back. Secrets are
files below `secrets/` in the home, each readable by its one reader; a variable that brings one is kept there, and is
neither remembered with the others nor shown. What can be changed while it runs is an item of the configuration, in the
portal, by `PUT /api/v2.0/configurations` and by `./breakwater config set`; every part heeds a change at once, without
a restart.
"""
_LOCAL: Final = "\n## Of an instance: variables of `./breakwater up`\n\n"
_CONTAINERS: Final = "\n## Of containers: variables of `docker compose`\n\n"
_ITEMS: Final = "\n## While it runs: items of the configuration\n\n"
_SHUT: Final = """
Harbor's other items are shown with their defaults, as its clients expect them, and cannot be changed:
"""


def page() -> str:
    """The whole page."""
    changed, shut = _items()
    return "".join([
        _INTRODUCTION,
        _LOCAL, *_table(("variable", "default", "meaning"), _options()),
        _CONTAINERS, _besides(), *_table(("variable", "default", "meaning"), _containers()),
        _ITEMS, *_table(("item", "type", "default", "meaning"), changed),
        _SHUT, ", ".join(f"`{key}`" for key in shut), ".\n",
    ])  # fmt: skip


def _options() -> Iterator[tuple[str, ...]]:
    for name, field in Options.model_fields.items():
        if field.description:
            yield f"`BREAKWATER_{name.upper()}`", _default_of(field), field.description


def _default_of(field: FieldInfo) -> str:
    default = field.default
    if isinstance(default, Path):
        return f"`{default.relative_to(CHECKOUT)}/` in the clone"
    return f"`{default}`" if default not in {None, ""} else ""


def _besides() -> str:
    """Those that are what they are of an instance on a machine."""
    same = [name.removeprefix("BREAKWATER") for name, default in _same().items() if (name, default) in _in_compose()]
    *others, last = (f"`{name}`" for name in (f"BREAKWATER{same[0]}", *same[1:]))
    said = f"Besides {', '.join(others)} and {last}, which mean there what they mean above:"
    return f"{textwrap.fill(said, 120, break_on_hyphens=False)}\n\n"


def _same() -> Mapping[str, str]:
    """The options' names and defaults, as a compose file would have them."""
    return {
        f"BREAKWATER_{name.upper()}": _default_of(field).strip("`") for name, field in Options.model_fields.items()
    }


def _in_compose() -> set[tuple[str, str]]:
    found = {each for file in COMPOSE for each in _VARIABLE.findall(file.read_text(encoding="utf-8"))}
    return {(name, "" if default in _NO_VOLUMES else default) for name, default in found}


def _containers() -> Iterator[tuple[str, ...]]:
    """Raises KeyError where a variable has no meaning written down."""
    same = _same()
    for name, default in sorted(_in_compose()):
        memory = re.fullmatch(_MEMORY, name)
        if memory:
            part = memory["part"].lower()
            yield f"`{name}`", f"`{default}`", f"the most memory of {'each other part' if part == 'part' else part}"
        elif same.get(name) != default:
            yield f"`{name}`", f"`{default}`" if default else "", _OF_CONTAINERS[name]


def _items() -> tuple[list[tuple[str, ...]], list[str]]:
    """Those that can be changed, and the names of the others. Raises KeyError where one has no meaning written down."""
    told = _meanings()
    changed: list[tuple[str, ...]] = [
        (f"`{key}`", item.kind.split()[-1], _item_default(item), told[key])
        for key, item in ITEMS.items()
        if item.editable
    ]
    return changed, [key for key, item in ITEMS.items() if not item.editable]


def _item_default(item: Item) -> str:
    if item.secret:
        return "never shown"
    shown = str(item.default).lower() if isinstance(item.default, bool) else str(item.default)
    return f"`{shown}`" if shown else ""


def _meanings() -> Mapping[str, str]:
    """What each item does, in the portal's words."""
    sections = (*settings.SECTIONS, *directory.SECTIONS)
    told = {}
    for section in sections:
        for each in section.settings:
            words = ", ".join(f"`{value}` ({label})" for value, label in each.options)
            parts = (f"{section.title}: {each.label}", words, each.hint.rstrip("."))
            told[each.key] = ". ".join(filter(None, parts)) + "."
    return told | _IN_OTHER_WORDS


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(page(), encoding="utf-8")
