"""What answers and broken connections count as, and in which words they are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from services.replication.domain.task import Fault
from services.replication.remote.faults import refusal

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def body(code: str, message: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": message}]}).encode()


@pytest.mark.parametrize(
    ("status", "content", "push", "fault"),
    [
        (401, body("UNAUTHORIZED", "authentication required"), False, Fault.DENIED),
        (403, body("DENIED", "no"), False, Fault.DENIED),
        (403, body("DENIED", "no"), True, Fault.REFUSED),
        (403, b"<html>Forbidden</html>", True, Fault.DENIED),
        (403, b"your Quota is used up", True, Fault.REFUSED),
        (404, body("NAME_UNKNOWN", ""), False, Fault.NOT_FOUND),
        (400, body("MANIFEST_BLOB_UNKNOWN", ""), True, Fault.NOT_FOUND),
        (400, body("DIGEST_INVALID", ""), True, Fault.CORRUPT),
        (400, body("MANIFEST_INVALID", ""), True, Fault.REFUSED),
        (412, body("PRECONDITION", "the tag is immutable"), True, Fault.REFUSED),
        (413, b"", True, Fault.REFUSED),
        (507, b"", True, Fault.OVERLOADED),
        (429, b"", False, Fault.OVERLOADED),
        (503, b"", False, Fault.OVERLOADED),
        (500, b"", False, Fault.SERVER_ERROR),
        (502, b"", False, Fault.SERVER_ERROR),
        (301, b"", False, Fault.REFUSED),
    ],
)
def test_a_status_has_one_fault(status: int, content: bytes, push: bool, fault: Fault) -> None:  # noqa: FBT001
    assert refusal("it", status, {}, content, push=push).fault is fault


@pytest.mark.parametrize(
    ("status", "asked", "push", "fault"),
    [
        (403, "10", True, Fault.OVERLOADED),
        (405, "10", True, Fault.OVERLOADED),
        (503, "10", True, Fault.OVERLOADED),
        (507, "10", True, Fault.OVERLOADED),
        (403, "10", False, Fault.DENIED),
        (405, "10", False, Fault.REFUSED),
        (403, "soon", True, Fault.REFUSED),
        (403, "", True, Fault.REFUSED),
        (405, "", True, Fault.REFUSED),
        (400, "10", True, Fault.REFUSED),
        (401, "10", True, Fault.DENIED),
    ],
)
def test_a_write_that_may_be_tried_later_is_no_want_of_rights(
    status: int, asked: str, push: bool, fault: Fault  # noqa: FBT001
) -> None:
    failed = refusal("it", status, {"Retry-After": asked}, body("DENIED", "the disk is nearly full"), push=push)
    assert failed.fault is fault
    assert failed.after == (timedelta(seconds=10) if asked == "10" else None)


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ("7", timedelta(seconds=7)),
        ("Fri, 01 May 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Fri, 01 May 2026 11:00:00 GMT", timedelta()),
        ("99999999999", timedelta(days=1)),
        ("soon", None),
        ("", None),
    ],
)
def test_the_pause_that_is_asked_for_is_told(asked: str, after: timedelta | None) -> None:
    assert refusal("it", 429, {"Retry-After": asked}, b"", now=NOW).after == after


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (body("TOOMANYREQUESTS", "slow down"), "it was answered with 429: slow down"),
        (b'{"errors":[{"code":"X"}]}', "it was answered with 429: X"),
        (b'{"message":"no"}', "it was answered with 429: no"),
        (b'["odd"]', 'it was answered with 429: ["odd"]'),
        (b"line\nbreak\x1b[31m", "it was answered with 429: line break [31m"),
        (b"", "it was answered with 429"),
        (b"x" * 10_000, f"it was answered with 429: {'x' * 200}"),
    ],
)
def test_what_the_other_side_said_is_told_in_one_short_line(content: bytes, told: str) -> None:
    assert refusal("it", 429, {}, content).sentence == told


def test_where_a_redirect_leads_is_told_without_what_may_be_a_signature() -> None:
    found = refusal("it", 307, {"Location": "https://a:b@storage.example/x?signature=canary"}, b"")
    assert found.sentence == "it was answered with 307: it leads to storage.example, and redirects are not followed"
