"""What every event has in common: a type string, a subject, a project it belongs to, and who may see it.

A field is only ever added to an event, with a default; anything else is a new version beside the old one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Self, cast, get_args, get_origin, get_type_hints

from shared.errors import BreakwaterError

SYSTEM = "_system"
ROUTING_KEY_LIMIT = 255


class InvalidEvent(BreakwaterError):
    """An event body that no definition reads."""

    code = "INVALID_EVENT"
    default = "the event cannot be read"


class Visibility(StrEnum):
    """The permission that lets a caller see an event."""

    REPOSITORY_LIST = "repository:list"
    """Whoever may list the project's repositories; in a public project anybody signed in."""
    LOG_LIST = "log:list"
    """Whoever may read the project's log."""
    ADMINISTRATOR = "administrator"
    """System administrators alone."""


@dataclass(frozen=True, kw_only=True)
class Event(ABC):
    """One thing that happened. Each definition sets noun, verb and permission, and says its subject."""

    noun: ClassVar[str]
    verb: ClassVar[str]
    version: ClassVar[int] = 1
    permission: ClassVar[Visibility]
    type: ClassVar[str]

    def __init_subclass__(cls) -> None:
        """Derive the type string once noun and verb are both known."""
        super().__init_subclass__()
        if hasattr(cls, "noun") and hasattr(cls, "verb"):
            cls.type = f"breakwater.{cls.noun}.{cls.verb}.v{cls.version}"

    @property
    @abstractmethod
    def subject(self) -> str:
        """The resource in the form people write it: `library/app:1.0`, `library/app@sha256:…`, a project's name."""

    @property
    def project_name(self) -> str | None:
        """The project the event belongs to; None for the system's own."""
        name: str | None = getattr(self, "project", None)
        return name

    @property
    def routing_key(self) -> str:
        """`<noun>.<verb>.<project>`; the project comes last because its name may hold dots."""
        key = f"{self.noun}.{self.verb}.{self.project_name or SYSTEM}"
        return key[:ROUTING_KEY_LIMIT]

    def data(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {field.name: _to_json(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Read the fields; names this version does not know are passed over.

        Raises InvalidEvent when a field is missing or of another type.
        """
        hints = field_types(cls)
        known: dict[str, Any] = {
            name: _from_json(name, hints[name], value) for name, value in data.items() if name in hints
        }
        try:
            return cls(**known)
        except TypeError as error:
            raise InvalidEvent(f"{cls.type}: {error}") from error


def field_types(definition: type[Event]) -> Mapping[str, Any]:
    """Each field's type without its meaning."""
    return _field_types(cast("Any", definition))  # mypy takes no class of a dataclass for Hashable


@cache
def _field_types(definition: type[Event]) -> Mapping[str, Any]:
    hints = get_type_hints(definition)
    return MappingProxyType({field.name: hints[field.name] for field in fields(definition)})


def field_meanings(definition: type[Event]) -> dict[str, str]:
    """Each field's meaning, as the definition's Annotated type states it."""
    hints = get_type_hints(definition, include_extras=True)
    return {field.name: _meaning(hints[field.name]) for field in fields(definition)}


def _meaning(hint: object) -> str:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"{hint} states no meaning")
    return str(get_args(hint)[-1])


def _to_json(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return [_to_json(item) for item in value]
    if isinstance(value, str):
        return printable(value)
    return value


def printable(text: str) -> str:
    """The text with NUL, control characters and lone surrogates replaced: jsonb and terminals cannot hold them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _from_json(name: str, hint: object, value: object) -> object:
    """The value as the hint's type, by the few forms definitions use: scalars, enums, tuples of text, `| None`."""
    if get_origin(hint) is tuple:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
    else:
        for option in get_args(hint) or (hint,):
            if option is type(None):
                if value is None:
                    return None
            elif issubclass(option, StrEnum):
                if value in option.__members__.values():
                    return option(value)
            elif type(value) is option:
                return value
    raise InvalidEvent(f"{name}: {value!r:.80} is not of the field's type")
