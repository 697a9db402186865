"""The description as one page for browsers: rendered here, without a script, and loading nothing from outside."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.core.openapi.operation import Schema
from gateway.core.request import API

POLICY: Final = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_TEMPLATES: Final = Environment(
    loader=PackageLoader("gateway.core", "openapi"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(document: Mapping[str, Any]) -> bytes:
    """The whole page."""
    tags = [{"name": tag["name"], "text": tag["description"], "operations": []} for tag in document["tags"]]
    by_name = {tag["name"]: tag["operations"] for tag in tags}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_name[operation["tags"][0]].append(_operation(method, path, operation))
    schemas = [
        {"name": name, "text": schema.get("description", ""), "json": json.dumps(schema, indent=2)}
        for name, schema in sorted(document["components"]["schemas"].items())
    ]
    template = _TEMPLATES.get_template("page.html.j2")
    return template.render(info=document["info"], base=API, tags=tags, schemas=schemas).encode()


def style() -> bytes:
    """How the page looks."""
    return files("gateway.core.openapi").joinpath("page.css").read_bytes()


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    parameters = [
        {
            "name": each["name"],
            "place": each["in"],
            "type": _type_text(each["schema"]),
            "required": each["required"],
            "meaning": each["description"],
        }
        for each in operation["parameters"]
    ]
    answers = [
        {"status": status, "text": answer.get("description", ""), "body": _body(answer)}
        for status, answer in operation["responses"].items()
        if "$ref" not in answer
    ]
    refused = [status for status, answer in operation["responses"].items() if "$ref" in answer and status != "default"]
    return {
        "id": operation["operationId"],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "parameters": parameters,
        "body": _body(operation.get("requestBody", {})),
        "answers": answers,
        "refused": ", ".join(refused),
    }


def _body(described: Mapping[str, Any]) -> dict[str, str] | None:
    """What a body holds: the name of its schema for a link where it is one, and words."""
    for media_type, content in described.get("content", {}).items():
        schema = content["schema"]
        named = schema.get("items", schema).get("$ref", "").rpartition("/")[2]
        return {"media_type": media_type, "schema": named, "text": _type_text(schema)}
    return None


def _type_text(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "items" in schema:
        return f"list of {_type_text(schema['items'])}"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(map(_type_text, schema["anyOf"]))
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type_text(schema['additionalProperties'])}"
    bounds = f" from {schema['minimum']} to {schema['maximum']}" if "maximum" in schema else ""
    default = f", by default {json.dumps(schema['default'])}" if "default" in schema else ""
    return f"{schema.get('type', 'any')}{bounds}{default}"
