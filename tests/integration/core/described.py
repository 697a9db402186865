"""The system's own description of its API, and what operations really read, which it is held against."""

from typing import Any, Final

import pytest
from falcon.testing import Result
from jsonschema import Draft202012Validator

from gateway.core import access, reading
from gateway.core.openapi.operation import Operation
from gateway.core.reading import Body
from gateway.core.request import ApiRequest

BY_NAME: Final = "X-Is-Resource-Name"


class OwnDescription:
    """The OpenAPI document, closed: a field that it does not name is an error."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        for schema in document["components"]["schemas"].values():
            if "properties" in schema:
                schema["additionalProperties"] = False

    def operations(self) -> set[tuple[str, str]]:
        return {
            (method.upper(), path) for path, operations in self._document["paths"].items() for method in operations
        }

    def check(self, method: str, path: str, answer: Result) -> None:
        """The answer is one that the operation declares, in status, headers and body."""
        responses = self._document["paths"][path][method.lower()]["responses"]
        declared = responses.get(str(answer.status_code))
        if declared is None:
            assert answer.status_code >= 400, f"{method} {path} does not declare {answer.status_code}"
            declared = responses["default"]
        if "$ref" in declared:
            declared = self._document["components"]["responses"][declared["$ref"].rpartition("/")[2]]
        for header in declared.get("headers", {}):
            assert header == "Link" or header.lower() in answer.headers, f"{method} {path} must answer {header}"
        for media_type, content in declared.get("content", {"": None}).items():
            assert bool(answer.content) == (content is not None)
            if media_type == "application/json":
                schema = content["schema"] | {"components": self._document["components"]}
                Draft202012Validator(schema).validate(answer.json)
            elif content:
                assert answer.headers["content-type"].startswith(media_type)


class Reads:
    """Writes down what parameters and bodies an operation looks at, whatever is in them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._names: set[str] = set()
        self._bodies: list[object] = []
        text, header_flag, name, validate = (
            ApiRequest.text, ApiRequest.header_flag, access._name, Body.model_validate.__func__
        )  # fmt: skip
        patch.setattr(ApiRequest, "text", lambda req, key: self._names.add(key) or text(req, key))
        several = ApiRequest.get_param_as_list
        patch.setattr(ApiRequest, "get_param_as_list", lambda req, key: self._names.add(key) or several(req, key))
        patch.setattr(ApiRequest, "header_flag", lambda req, key: self._names.add(key) or header_flag(req, key))
        patch.setattr(access, "_name", lambda *given: self._names.add(BY_NAME) or name(*given))
        patch.setattr(
            reading.Body,
            "model_validate",
            classmethod(lambda model, value: self._bodies.append(model) or validate(model, value)),
        )

    def check(self, operation: Operation) -> None:
        """Neither more nor less than the operation declares; some ask for a name where others take a number."""
        assert {each.name for each in operation.parameters} - self._names <= {BY_NAME}
        assert self._names <= {each.name for each in operation.parameters}
        if isinstance(operation.body, type) and issubclass(operation.body, Body):
            assert self._bodies == [operation.body]
        else:
            assert self._bodies == []
