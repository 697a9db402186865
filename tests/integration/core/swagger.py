"""The API's description beside the project, which answers are held against; no part of the product."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from falcon.testing import Result
from jsonschema import Draft4Validator

DESCRIPTION = Path(__file__).parents[4] / "shared" / "reference" / "harbor-swagger-v2.0.yaml"
_PROGRESS = ("blobs_total", "blobs_done", "bytes_total", "bytes_done", "bytes_sent")
_OURS: Mapping[str, tuple[str, ...]] = {
    "AuditLogExt": (
        "occurrences", "project", "repository", "digest", "tag", "client_address", "client", "request_id",
    ),
    "UserResp": ("disabled",),
    "Registry": ("proxy", "concurrency", "status_text", "check_time"),
    "ReplicationPolicy": (
        "concurrency", "copy_labels", "copy_retention", "waiting", "waiting_since", "last_execution",
    ),
    "ReplicationExecution": ("operator", "dry_run", *_PROGRESS),
    "ReplicationTask": ("status_text", "fault", "digest", "attempts", *_PROGRESS),
}
"""What answers tell beside Harbor's fields; clients pass over it."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Description:
    """Operations, and what they may answer."""

    def __init__(self, path: Path = DESCRIPTION) -> None:
        self._document = yaml.safe_load(path.read_text(encoding="utf-8"))
        # the description says that every value in them is an object, and Harbor puts texts and numbers there
        self._document["definitions"]["ExtraAttrs"] = {"type": "object"}
        self._document["definitions"]["InternalConfigurationValue"]["properties"]["value"] = {}
        # Harbor's configuration has neither StartTLS nor an authority of the directory's own, and as many runs of a
        # replication policy as it has; clients pass over what is ours
        ours = {"ldap_start_tls": {}, "ldap_ca_certificate": {}, "replication_history": {}}
        self._document["definitions"]["ConfigurationsResponse"]["properties"] |= ours
        for name, fields in _OURS.items():
            self._document["definitions"][name]["properties"] |= {field: {} for field in fields}
        # the description says that a filter's value is an object, and tells in words that it is a text or a list
        self._document["definitions"]["ReplicationFilter"]["properties"]["value"] = {}
        self._document["definitions"]["RetentionRule"]["properties"]["params"] = {"type": "object"}
        for definition in self._document["definitions"].values():
            if "properties" in definition:
                definition["additionalProperties"] = False

    def operations(self) -> set[tuple[str, str]]:
        """Every method and path; placeholders as the routes call them, no slash at the end."""
        return {
            (method.upper(), plain(path))
            for path, operations in self._document["paths"].items()
            for method in operations
            if method != "parameters"
        }

    def paged(self) -> set[tuple[str, str]]:
        """Those of them that answer a page of a list."""
        return {
            (method.upper(), plain(path))
            for path, operations in self._document["paths"].items()
            for method, operation in operations.items()
            if method != "parameters" and "X-Total-Count" in operation["responses"].get("200", {}).get("headers", ())
        }

    def parameters(self, method: str, path: str) -> list[dict[str, Any]]:
        """The query parameters of an operation."""
        found = [
            self._document["parameters"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each
            for each in self._operation(method, path).get("parameters", ())
        ]
        return [each for each in found if each["in"] == "query"]

    def takes_body(self, method: str, path: str) -> bool:
        """Whether an operation reads a body."""
        return any(each.get("in") == "body" for each in self._operation(method, path).get("parameters", ()))

    def declares(self, method: str, path: str, status: int) -> bool:
        """Whether an operation may answer so."""
        return str(status) in self._operation(method, path)["responses"]

    def check(self, method: str, path: str, answer: Result) -> None:
        """The answer is one that the operation declares, in status, body and headers."""
        declared = self._operation(method, path)["responses"].get(str(answer.status_code))
        assert declared is not None, f"{method} {path} does not declare {answer.status_code}: {answer.text}"
        if "$ref" in declared:
            declared = self._document["responses"][declared["$ref"].rpartition("/")[2]]
        assert answer.headers["x-request-id"]
        for header in set(declared.get("headers", ())) & {"Location", "X-Total-Count"}:
            # the one creation that says where it is and is not found there
            if path.endswith("/tags"):
                continue
            assert header.lower() in answer.headers, f"{method} {path} must answer {header}"
        schema = declared.get("schema")
        if schema is None:
            assert answer.text == "", f"{method} {path} must have no body"
            assert answer.headers["content-type"].startswith("text/plain"), f"{method} {path} must not claim to be JSON"
        elif schema.get("type") in {"file", "string"}:
            assert answer.content
        else:
            assert answer.headers["content-type"].startswith("application/json")
            document = {**schema, "definitions": self._document["definitions"]}
            Draft4Validator(document).validate(answer.json)
            _check_times(answer.json)

    def _operation(self, method: str, path: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            operations[method.lower()]
            for template, operations in self._document["paths"].items()
            if plain(template) == path and method.lower() in operations
        )
        return found


def plain(template: str) -> str:
    """A path template with the placeholders of the routes."""
    known: Mapping[str, str] = {
        "project_name_or_id": "project", "project_name": "project", "repository_name": "repository", "mid": "member_id",
        "tag_name": "tag",
    }  # fmt: skip
    template = template.replace("/quotas/{id}", "/quotas/{quota_id}")
    return re.sub(r"\{(\w+)\}", lambda found: f"{{{known.get(found[1], found[1])}}}", template.rstrip("/"))


def _check_times(value: Any) -> None:  # noqa: ANN401 - JSON
    """Every time is written with milliseconds in UTC, and nothing is null."""
    match value:
        case dict():
            for key, each in value.items():
                assert each is not None, f"{key} is null"
                if key.endswith("_time"):
                    assert _TIME.fullmatch(each), f"{key}: {each}"
                _check_times(each)
        case list():
            for each in value:
                _check_times(each)
