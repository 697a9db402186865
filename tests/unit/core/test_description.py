"""The API's description: OpenAPI 3.1, whole, and the same as docs/api.md and the code."""

import json
import re
from typing import Any

import pytest

from gateway.core.docs import PAGE, page, routes
from gateway.core.openapi.document import document, operations_of
from gateway.core.openapi.operations import OPERATIONS
from gateway.core.openapi.page import POLICY
from gateway.core.openapi.page import page as html
from gateway.core.resources.systeminfo import VERSION
from gateway.core.unbuilt import UNBUILT

DOCUMENT = document(routes(), VERSION)


def described() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
    ]


def test_the_document_is_openapi_3_1() -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator, validate  # noqa: PLC0415 - nothing else needs it

    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_every_route_and_method_is_in_the_document_and_in_the_table() -> None:
    built = {key for key, _ in operations_of(routes())}
    assert {(method, path) for method, path, _ in described()} == built
    assert set(OPERATIONS) == built


@pytest.mark.parametrize(("method", "path", "operation"), described(), ids=lambda value: str(value)[:60])
def test_an_operation_is_described_whole(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["summary"].endswith(".")
    in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
    assert in_path == set(re.findall(r"\{(\w+)\}", path))
    assert all(each["description"].endswith(".") for each in operation["parameters"])
    assert any(status.startswith("2") for status in operation["responses"])
    assert ("requestBody" in operation) <= (method in {"POST", "PUT", "PATCH"})


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in described()]
    assert len(names) == len(set(names))


def test_every_reference_leads_somewhere() -> None:
    references = set(re.findall(r'"\$ref": "#/components/(\w+)/([\w.-]+)"', json.dumps(DOCUMENT)))
    assert references
    assert all(name in DOCUMENT["components"][kind] for kind, name in references)


def test_the_written_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m gateway.core.docs`"


def test_the_written_page_names_what_is_not_built() -> None:
    lines = page().partition("## Not built")[2]
    assert all(f"| `{path}` | {methods} |" in lines for path, methods in UNBUILT.items())


def test_the_page_for_browsers_shows_every_operation_and_loads_nothing_from_outside() -> None:
    text = html(DOCUMENT).decode()
    assert all(f'id="{operation["operationId"]}"' in text for _, _, operation in described())
    assert set(re.findall(r'(?:src|href)="([^#"]+)"', text)) == {"/api/docs/page.css", "/api/v2.0/openapi.json"}
    assert "<script" not in text
    assert "style=" not in text
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none'")


def test_what_a_description_says_is_text_on_the_page() -> None:
    tagged = json.loads(json.dumps(DOCUMENT))
    tagged["paths"]["/ping"]["get"]["summary"] = "<img src=x onerror=alert(1)>"
    assert b"<img" not in html(tagged)
