"""The catalogue as a page: every event with its fields, who listens to it and who may see it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from string import Template
from typing import Final

from shared.events.catalogue import DEFINITIONS
from shared.events.docs.schemas import COMMON, ENVELOPE, field_schema, file_name, summary
from shared.events.event import Event, Visibility, field_meanings, field_types
from shared.messaging.topology import CONSUMERS, EVENTS, LISTENER, REPLAY, REPLAY_AGE

_PERMISSIONS: Final = {
    Visibility.REPOSITORY_LIST: "`repository:list` in the project (in a public one: anybody signed in)",
    Visibility.LOG_LIST: "`log:list` in the project; administrators where there is no project",
    Visibility.ADMINISTRATOR: "administrators",
}


def page() -> str:
    """The whole page."""
    parts = [
        _introduction(),
        *_table(("attribute", "meaning"), [(f"`{name}`", text) for name, text in ENVELOPE.items()]),
    ]
    parts += ["\nAll `data` has these fields too:\n\n"]
    parts += _table(("field", "meaning"), [(f"`{name}`", text) for name, text in COMMON.items()])
    parts += ["\n## All events\n\n"]
    rows = [(f"[{_short(each)}](#{_anchor(each)})", summary(each), ", ".join(_listeners(each))) for each in DEFINITIONS]
    parts += _table(("event", "meaning", "listeners"), rows)
    parts += ["\nEvery event also goes to the stream `" + REPLAY + "` and the live stream.\n"]
    for definition in DEFINITIONS:
        parts += _section(definition)
    return "".join(parts)


def _introduction() -> str:
    template = Template(Path(__file__).with_name("introduction.md").read_text(encoding="utf-8"))
    return template.substitute(exchange=EVENTS, replay=REPLAY, days=REPLAY_AGE.removesuffix("D"), listener=LISTENER)


def _section(definition: type[Event]) -> Iterator[str]:
    types, meanings = field_types(definition), field_meanings(definition)
    yield f"\n## {_short(definition)}\n\n{summary(definition)}\n\n"
    yield f"- Type: `{definition.type}` ([schema](events/schemas/{file_name(definition)}))\n"
    yield f"- Subject: {_subject(definition)}\n"
    yield f"- Seen by: {_PERMISSIONS[definition.permission]}\n"
    yield f"- Listeners: {', '.join(_listeners(definition))}\n\n"
    rows = [(f"`{name}`", _type_text(hint), meanings[name]) for name, hint in types.items()]
    yield from _table(("field", "type", "meaning"), rows)


def _subject(definition: type[Event]) -> str:
    doc = definition.subject.__doc__ or ""
    return doc[0].lower() + doc[1:].rstrip(".")


def _type_text(hint: object) -> str:
    schema = field_schema(hint)
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if schema["type"] == "array":
        return "list of strings"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(kinds)


def _listeners(definition: type[Event]) -> list[str]:
    return [each.queue for each in CONSUMERS if each.listens_to(definition.noun, definition.verb)]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |\n"
    yield "|" + " --- |" * len(head) + "\n"
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"


def _short(definition: type[Event]) -> str:
    return f"{definition.noun}.{definition.verb}"


def _anchor(definition: type[Event]) -> str:
    return _short(definition).replace(".", "")
