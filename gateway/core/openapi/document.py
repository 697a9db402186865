"""The OpenAPI 3.1 document: routes, methods, tags and summaries from the resources, the rest from the operations."""

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from inspect import getdoc, getmodule
from typing import Any, Final

from pydantic import TypeAdapter

from gateway.browser import SESSION_COOKIE
from gateway.core.middleware.authentication import CSRF_HEADER
from gateway.core.openapi.operation import Operation, Parameter, Schema
from gateway.core.openapi.operations import OPERATIONS
from gateway.core.openapi.shapes import Errors
from gateway.core.request import API
from gateway.errors import REGISTRY_CODES, STATUS

Key = tuple[str, str]

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_PLACEHOLDERS: Final[Mapping[str, str]] = {
    "project": "The project's name, or its number where the operation takes X-Is-Resource-Name.",
    "repository": "The repository's name without its project, its slashes encoded twice: a%252Fb.",
    "reference": "A tag, or a digest.",
    "tag": "The tag.",
    "addition": "layers, build_history, or another addition that clients may ask for.",
    "meta_name": "The name of the entry.",
    "token_id": "The refresh token's UUID.",
    "queue": "The service whose queue it is: audit, metadata, webhook or replication.",
    "parked_id": "The notification's UUID.",
    "letter_id": "The event's id, as the list shows it.",
}
_INTRODUCTION: Final = (
    "Breakwater answers version 2.0 of Harbor's API, and extends it, by refresh tokens and the broker's queues among "
    "others. Credentials go in a Basic header, or a session's cookie does; without any, what is public answers. Every "
    "answer has an X-Request-Id. A null in a body is a field that was not sent, and a field without a value is left "
    "out of answers."
)


def operations_of(routes: Mapping[str, object]) -> Iterator[tuple[Key, object]]:
    """Every method and path of some routes, with the function that answers."""
    for path, resource in sorted(routes.items()):
        for method in _METHODS:
            responder = getattr(resource, f"on_{method.lower()}", None)
            if responder is not None:
                yield (method, path), responder


def document(routes: Mapping[str, object], version: str) -> dict[str, Any]:
    """The description of the routes below /api/v2.0."""
    answered = dict(operations_of(routes))
    schemas, definitions = _schemas({key: OPERATIONS.get(key, Operation()) for key in answered})
    paths: dict[str, dict[str, Any]] = {}
    tags: dict[str, str] = {}
    for key, responder in answered.items():
        method, path = key
        operation, module = OPERATIONS.get(key, Operation()), getmodule(responder)
        tag = (module.__name__ if module else "").rpartition(".")[2]
        tags[tag] = _first_line(module)
        paths.setdefault(path, {})[method.lower()] = {
            "tags": [tag],
            "operationId": re.sub(r"\W+", "_", f"{method} {path}").strip("_").lower(),
            "summary": _first_line(responder),
            "parameters": [*_path_parameters(path), *map(_parameter, operation.parameters)],
            **({"requestBody": _content(schemas[key, "body"], "application/json") | {"required": True}}
               if operation.body is not None else {}),
            "responses": _responses(path, operation, schemas.get((key, "answer"))),
        }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "Breakwater", "version": version, "description": _INTRODUCTION},
        "servers": [{"url": API}],
        "security": [{"basic": []}, {"session": [], "csrf": []}, {"session": []}, {}],
        "tags": [{"name": name, "description": text} for name, text in sorted(tags.items())],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE,
                            "description": "Begun by POST /c/login, ended by GET /c/log_out."},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER,
                         "description": "Of a session's changes; every answer to a session carries it."},
            },
            "schemas": definitions,
            "responses": {str(status): _refusal(status) for status in sorted(set(_refusals().values()))}
            | {"other": _content({"$ref": "#/components/schemas/Errors"}, "application/json")
               | {"description": "Any other refusal."}},
        },
    }  # fmt: skip


def _schemas(operations: Mapping[Key, Operation]) -> tuple[dict[Any, Schema], dict[str, Schema]]:
    """The schemas of bodies and answers, and the definitions that they refer to."""
    wanted: list[tuple[Any, Any, TypeAdapter[Any]]] = [("refusal", "serialization", TypeAdapter(Errors))]
    for key, operation in operations.items():
        if operation.body is not None:
            wanted.append(((key, "body"), "validation", TypeAdapter(operation.body)))
        if operation.answer is not None:
            wanted.append(((key, "answer"), "serialization", TypeAdapter(operation.answer)))
    found, definitions = TypeAdapter.json_schemas(wanted, ref_template="#/components/schemas/{model}")
    return {key: _plain(schema) for (key, _mode), schema in found.items()}, _plain(definitions.get("$defs", {}))


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A schema without the titles that only repeat the names of fields."""
    match value:
        case dict():
            return {
                key: _plain(each) for key, each in value.items() if not (key == "title" and isinstance(each, str))
            }
        case list():
            return [_plain(each) for each in value]
        case _:
            return value


def _path_parameters(path: str) -> Iterator[dict[str, Any]]:
    for name in _PLACEHOLDER.findall(path):
        is_number = name.endswith("_id") and name not in _PLACEHOLDERS
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PLACEHOLDERS.get(name, f"The number of the {name.removesuffix('_id').replace('_', ' ')}."),
            "schema": {"type": "integer", "minimum": 1} if is_number else {"type": "string"},
        }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.meaning,
        "schema": parameter.schema,
    }


def _content(schema: Schema, media_type: str) -> dict[str, Any]:
    return {"content": {media_type: {"schema": schema}}}


def _responses(path: str, operation: Operation, answer: Schema | None) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    headers = {}
    if operation.located:
        headers["Location"] = {"description": "The path of what was made.", "schema": {"type": "string"}}
    if operation.is_list:
        headers["X-Total-Count"] = {"description": "How many there are in all.", "schema": {"type": "integer"}}
        headers["Link"] = {"description": "The pages before and after, where there are.", "schema": {"type": "string"}}
    if headers:
        success["headers"] = headers
    if answer is not None:
        success |= _content(answer, operation.media_type)
    refused = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _expected(path, operation)}
    return {str(operation.status): success, **refused, "default": {"$ref": "#/components/responses/other"}}


def _expected(path: str, operation: Operation) -> list[int]:
    """The refusals that follow from what an operation takes."""
    expected = set() if operation.for_strangers else {401, 403}
    if "{" in path:
        expected |= {404}
    if operation.is_list:
        expected |= {400}
    if operation.parameters or "_id}" in path:
        expected |= {422}
    if operation.body is not None:
        expected |= {400, 413, 415, 422}
    return sorted(expected)


def _refusals() -> dict[str, int]:
    """The codes of the API; the registry has others."""
    registry = {"MANIFEST_INVALID", "MANIFEST_UNKNOWN", "NAME_INVALID", "DIGEST_INVALID", *REGISTRY_CODES.values()}
    return {code: status for code, status in STATUS.items() if code not in registry - {"DENIED"}}


def _refusal(status: int) -> dict[str, Any]:
    codes = " or ".join(code for code, each in _refusals().items() if each == status)
    return {"description": codes} | _content({"$ref": "#/components/schemas/Errors"}, "application/json")


def _first_line(described: object) -> str:
    return (getdoc(described) or "").partition("\n")[0]
