"""Refusals on the wire: one table from a code to its status, and the bodies of the two protocols.

Harbor's API and the registry share the shape; only what belongs to a registry client (detail, DENIED) differs.
"""

import json
from typing import Final

from shared.errors import BreakwaterError

STATUS: Final[dict[str, int]] = {
    "BAD_REQUEST": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "DENIED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "GONE": 410,
    "PRECONDITION": 412,
    "REQUEST_ENTITY_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "UNPROCESSABLE_ENTITY": 422,
    "TOO_MANY_REQUEST": 429,
    "UNKNOWN": 500,
    "NOT_IMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    # the registry's own, on /v2 (OCI distribution specification, error codes)
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_INVALID": 400,
    "NAME_UNKNOWN": 404,
    "DIGEST_INVALID": 400,
    "SIZE_INVALID": 400,
    "PAGINATION_NUMBER_INVALID": 400,
    "UNSUPPORTED": 400,
    "TOOMANYREQUESTS": 429,
}

REGISTRY_CODES: Final[dict[str, str]] = {
    "BAD_REQUEST": "UNSUPPORTED",
    "FORBIDDEN": "DENIED",
    "NOT_FOUND": "NAME_UNKNOWN",
    "TOO_MANY_REQUEST": "TOOMANYREQUESTS",
    "REQUEST_ENTITY_TOO_LARGE": "SIZE_INVALID",
}

CHALLENGE: Final = 'Basic realm="Breakwater"'
"""What asks for a name and a password."""

_INTERNAL = BreakwaterError.default


def status_of(code: str) -> int:
    """The HTTP status of an error's code; a code without a row is a fault of ours."""
    return STATUS.get(code, 500)


def harbor_body(code: str, sentence: str) -> bytes:
    """The API's error body; a fault of ours tells nothing internal."""
    code, sentence = _public(code, sentence)
    return json.dumps({"errors": [{"code": code, "message": sentence}]}, ensure_ascii=False).encode() + b"\n"


def registry_body(code: str, sentence: str, detail: object = None) -> bytes:
    """The error body of /v2 and the token endpoint, with the registry's own code for ours."""
    code, sentence = _public(code, sentence)
    error: dict[str, object] = {"code": REGISTRY_CODES.get(code, code), "message": sentence}
    if detail is not None:
        error["detail"] = detail
    return json.dumps({"errors": [error]}, ensure_ascii=False).encode()


def _public(code: str, sentence: str) -> tuple[str, str]:
    return ("UNKNOWN", _INTERNAL) if status_of(code) == STATUS["UNKNOWN"] else (code, sentence)
