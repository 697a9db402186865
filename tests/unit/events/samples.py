"""One valid event of each definition, made from its fields' types."""

from enum import StrEnum
from typing import Any, get_args, get_origin
from uuid import UUID

from shared.events import Actor, ActorKind, Event, EventContext
from shared.events.event import field_types

INSTANCE = UUID("4be0643f-1d98-573b-97cd-ca98a65347dd")
CONTEXT = EventContext(
    instance_id=INSTANCE,
    actor=Actor(kind=ActorKind.USER, name="alice"),
    request_id="r-1",
    address="192.0.2.7",
    user_agent="docker/28.2.2",
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)


def sample(definition: type[Event], *, full: bool = True) -> Event:
    """With every field set; or with null wherever a field may be null."""
    return definition(**{name: _value(name, hint, full=full) for name, hint in field_types(definition).items()})


def _value(name: str, hint: Any, *, full: bool) -> Any:  # noqa: ANN401 - of whatever type the field is
    options = get_args(hint)
    if get_origin(hint) is tuple:
        return ("one", "two")
    if type(None) in options:
        if not full:
            return None
        hint = next(option for option in options if option is not type(None))
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    return {str: f"a {name}", int: 7, bool: True}[hint]
