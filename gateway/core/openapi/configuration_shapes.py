"""The items of the configuration, one by one, out of those that there are."""

from typing import Any, Final

from pydantic import Field, create_model
from typing_extensions import TypedDict  # as in the other shapes

from gateway.core.openapi.shapes import ScanAllPolicy
from services.api.domain.configuration import ITEMS


class StringItem(TypedDict):
    """A text."""

    value: str
    editable: bool


class IntegerItem(TypedDict):
    """A whole number."""

    value: int
    editable: bool


class BoolItem(TypedDict):
    """A switch."""

    value: bool
    editable: bool


_FORMS: Final[dict[type, Any]] = {str: StringItem, int: IntegerItem, bool: BoolItem}
_SHOWN: Final[dict[str, Any]] = {
    key: (_FORMS[type(item.default)], ...) for key, item in ITEMS.items() if not item.secret
}

def _stays_if_left_out(described: dict[str, Any]) -> None:
    del described["default"]


_SET: Final[dict[str, Any]] = {
    key: (type(item.default), Field(default=item.default, json_schema_extra=_stays_if_left_out))
    for key, item in ITEMS.items()
}

Configuration = create_model(
    "Configuration",
    __doc__="Every item that is no secret. What is not editable was set where the system was started, or is not built.",
    scan_all_policy=(ScanAllPolicy, ...),
    **_SHOWN,
)
InternalConfiguration = create_model(
    "InternalConfiguration", __doc__="The same, as Harbor's own parts read it.", **_SHOWN
)
NewConfiguration = create_model(
    "NewConfiguration",
    __doc__="The items that are to change; the others stay as they are.",
    **_SET,
)
