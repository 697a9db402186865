"""Reading bodies: strict JSON within bounds into a pydantic model.

What a model does not name is dropped, so no client can set a field that was not meant for it.
"""

import json
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.core.request import ApiRequest
from shared.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMediaType

MAX_BODY: Final = 1024 * 1024
MAX_DEPTH: Final = 32
# broken rules of form; anything else is a wrong type, and that is a malformed request
_RULES: Final = ("too_long", "too_short", "missing", "greater_than", "less_than", "pattern", "enum", "literal")
# those of the library name its classes, and ours
_WORDS: Final = dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "must be a JSON object")


class Body(BaseModel):
    """A request body: unknown fields ignored, no type bent into another."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, hide_input_in_errors=True)


AnyBody = TypeVar("AnyBody", bound=Body)


def read_body(req: ApiRequest, model: type[AnyBody]) -> AnyBody:
    """The body as a record; a null is a field that was not sent, as Harbor's clients mean it.

    Raises UnsupportedMediaType, TooLarge, BadRequest where it is no JSON of the right types, and Unprocessable where
    a value breaks a rule of its field.
    """
    value = read_json(req)
    try:
        return model.model_validate(_without_nulls(value))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        refusal = Unprocessable if any(rule in first["type"] for rule in _RULES) else BadRequest
        words = _WORDS.get(first["type"])
        raise refusal(f"{where} {words}" if words else f"{where}: {first['msg']}") from error


def read_json(req: ApiRequest) -> object:
    """The body as JSON values. Raises UnsupportedMediaType, TooLarge, BadRequest."""
    media_type = (req.content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType
    raw = req.bounded_stream.read(MAX_BODY + 1)
    if len(raw) > MAX_BODY:
        raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is not valid JSON in UTF-8") from error
    _inspect(value)
    return value


def _without_nulls(value: object) -> object:
    match value:
        case dict():
            return {key: _without_nulls(each) for key, each in value.items() if each is not None}
        case list():
            return [_without_nulls(each) for each in value]
        case _:
            return value


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _inspect(value: object) -> None:
    """Refuse what PostgreSQL cannot store and what nobody sends in good faith."""
    waiting: list[tuple[Any, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise BadRequest(f"the body is nested more than {MAX_DEPTH} levels deep")
        match item:
            case str():
                _inspect_text(item)
            case float() if item in {float("inf"), float("-inf")}:
                raise BadRequest("the body holds a number that is out of range")
            case list():
                waiting.extend((each, depth + 1) for each in item)
            case dict():
                waiting.extend((each, depth + 1) for each in item.values())
                waiting.extend((each, depth + 1) for each in item)


def _inspect_text(text: str) -> None:
    if "\x00" in text:
        raise BadRequest("the body holds a NUL character")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadRequest("the body holds half a surrogate pair") from error
