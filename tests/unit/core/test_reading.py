"""Reading bodies: strict, bounded, and blind to what a model does not name."""

import json
import sys

import pytest
from falcon.testing import create_environ

from gateway.core.bodies.project import ProjectBody
from gateway.core.bodies.user import AdministratorBody, DisabledBody, NewUserBody
from gateway.core.reading import MAX_BODY, read_body, read_json
from gateway.core.request import ApiRequest
from shared.errors import BadRequest, TooLarge, Unprocessable, UnsupportedMediaType


def request(body: bytes, media_type: str = "application/json") -> ApiRequest:
    return ApiRequest(create_environ("/api/v2.0/x", method="POST", body=body, headers={"Content-Type": media_type}))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[1,]", b"NaN", b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}', b'{"a": -1e999}',
        b"\xff\xfe{}", b'{"a": "\xff"}', b'"\\ud800"', b'{"\\u0000": 1}', b'{"a": "x\\u0000"}', b"1" * 5000,
        b"[" * 33 + b"]" * 33, b"[" * 100_000, b'{"a":' * 50_000,
    ],
    ids=lambda body: str(body[:24]),
)  # fmt: skip
def test_what_is_not_plain_json_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read_json(request(body))


def test_json_up_to_the_limits_is_read() -> None:
    deep: object = []
    for _ in range(31):
        deep = [deep]
    assert read_json(request(json.dumps(deep).encode())) == deep
    assert read_json(request('"ünï"'.encode(), "application/json; charset=utf-8")) == "ünï"


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_content_type_is_refused(media_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        read_json(request(b"{}", media_type))


def test_a_body_beyond_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_json(request(b'"' + b"x" * MAX_BODY + b'"'))


def test_fields_that_no_model_names_are_dropped() -> None:
    smuggled = {"sysadmin_flag": True, "has_admin_role": True, "user_id": 1, "source": "ldap"}
    body = {"username": "u", "password": "p", **smuggled}
    read = read_body(request(json.dumps(body).encode()), NewUserBody)
    assert set(read.model_dump()) == {"username", "password", "email", "realname", "comment"}


@pytest.mark.parametrize("value", ["true", 1, [True], {}])
def test_no_type_is_bent_into_another(value: object) -> None:
    with pytest.raises(BadRequest):
        read_body(request(json.dumps({"sysadmin_flag": value}).encode()), AdministratorBody)


def test_a_broken_rule_is_told_apart_from_a_wrong_type() -> None:
    with pytest.raises(Unprocessable, match="project_name"):
        read_body(request(json.dumps({"project_name": "x" * 256}).encode()), ProjectBody)
    for body in (b"{}", b'{"disabled": null}'):
        with pytest.raises(Unprocessable, match="disabled"):
            read_body(request(body), DisabledBody)


def test_an_administrator_is_who_is_called_one() -> None:
    assert not read_body(request(b"{}"), AdministratorBody).sysadmin_flag


def test_a_null_is_a_field_that_was_not_sent() -> None:
    body = {"project_name": "a", "public": None, "metadata": {"public": "true", "severity": None}, "registry_id": None}
    assert read_body(request(json.dumps(body).encode()), ProjectBody).given_metadata() == {"public": "true"}


def test_a_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(BadRequest) as refused:
        read_body(request(b'{"username": ["canary-secret"], "password": 5}'), NewUserBody)
    assert "canary" not in str(refused.value)
    assert "canary" not in repr(refused.value.__cause__)


def test_a_password_is_in_no_text_form_of_its_body() -> None:
    body = NewUserBody(username="u", password="canary-secret")
    assert "canary" not in repr(body)
    assert "canary" not in str(body)


def test_memory_stays_flat_while_a_long_body_is_refused() -> None:
    body = request(b"[" + b"0," * 600_000 + b"0]")
    before = sys.getallocatedblocks()
    with pytest.raises(TooLarge):
        read_json(body)
    assert sys.getallocatedblocks() - before < 10_000
