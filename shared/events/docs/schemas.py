"""A JSON Schema (draft 2020-12) for each event: the whole envelope, the data under its own name within."""

from dataclasses import MISSING, fields
from enum import StrEnum
from types import UnionType
from typing import Any, Final, get_args, get_origin

from shared.events.envelope import CONTENT_TYPE, SPEC_VERSION, ActorKind, schema_urn
from shared.events.event import Event, field_meanings, field_types

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

_SCALARS: Final = {str: "string", int: "integer", bool: "boolean"}

ENVELOPE: Final[dict[str, str]] = {
    "specversion": f"CloudEvents version, always {SPEC_VERSION}",
    "id": "UUID of the event; one that comes again has the same",
    "source": "/breakwater/ and the instance's id",
    "type": "the event's type",
    "subject": "the resource in the form people write it",
    "time": "when it happened, RFC 3339 in UTC",
    "datacontenttype": f"always {CONTENT_TYPE}",
    "dataschema": "name of the schema of the data",
    "actor": "name of whoever did it: a user, a robot account, `anonymous`, or a part of the system",
    "actorkind": "what the actor is: user, robot, anonymous or system",
    "sequence": "the event's number in the log of this instance, as text; numbers rise without gaps",
    "traceparent": "the W3C trace context of what made the event, or of the client where nothing is traced",
    "data": "what happened; see each event",
}
"""The envelope's attributes and their meanings."""

COMMON: Final[dict[str, str]] = {
    "request_id": "number of the request that caused it, null when there was none",
    "client": "`address` and `user_agent` of whoever did it, each null when not known; "
    "the live stream leaves it out for callers without the permission log:list",
}
"""The fields that all data has."""


def file_name(definition: type[Event]) -> str:
    """The file of an event's schema."""
    return f"{definition.noun}.{definition.verb}.v{definition.version}.json"


def envelope_schema(definition: type[Event]) -> dict[str, Any]:
    """The schema of an event as it travels."""
    text: dict[str, Any] = {"type": "string"}
    properties: dict[str, dict[str, Any]] = {
        "specversion": {"const": SPEC_VERSION},
        "id": text | {"format": "uuid"},
        "source": text | {"format": "uri-reference"},
        "type": {"const": definition.type},
        "subject": text,
        "time": text | {"format": "date-time"},
        "datacontenttype": {"const": CONTENT_TYPE},
        "dataschema": {"const": schema_urn(definition)},
        "actor": text,
        "actorkind": {"enum": [kind.value for kind in ActorKind]},
        "sequence": text | {"pattern": "^[1-9][0-9]*$"},
        "traceparent": text,
        "data": {"$ref": schema_urn(definition)},
    }
    return {
        "$schema": DRAFT,
        "$id": f"{schema_urn(definition)}:envelope",
        "title": definition.type,
        "description": summary(definition),
        "type": "object",
        "properties": {name: schema | {"description": ENVELOPE[name]} for name, schema in properties.items()},
        "required": [name for name in properties if name not in {"sequence", "traceparent"}],
        "$defs": {"data": _data_schema(definition)},
    }


def field_schema(hint: object) -> dict[str, Any]:
    """The schema of a field's type."""
    if get_origin(hint) is tuple:
        return {"type": "array", "items": {"type": "string"}}
    if isinstance(hint, UnionType):
        options = [field_schema(each) for each in get_args(hint) if each is not type(None)]
        return {"type": [*(option["type"] for option in options), "null"]}
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return {"type": "string", "enum": [member.value for member in hint]}
    if isinstance(hint, type) and hint in _SCALARS:
        return {"type": _SCALARS[hint]}
    raise TypeError(f"{hint} has no place in an event")


def summary(definition: type[Event]) -> str:
    """What the event means, on one line."""
    return " ".join((definition.__doc__ or "").split())


def _data_schema(definition: type[Event]) -> dict[str, Any]:
    types, meanings = field_types(definition), field_meanings(definition)
    optional_text = {"type": ["string", "null"]}
    properties = {name: field_schema(hint) | {"description": meanings[name]} for name, hint in types.items()}
    properties["request_id"] = optional_text | {"description": COMMON["request_id"]}
    properties["client"] = {
        "type": "object",
        "properties": {"address": optional_text, "user_agent": optional_text},
        "description": COMMON["client"],
    }
    return {
        "$id": schema_urn(definition),
        "type": "object",
        "properties": properties,
        "required": [field.name for field in fields(definition) if field.default is MISSING],
    }
