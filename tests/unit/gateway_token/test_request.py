from base64 import b64encode
from urllib.parse import urlencode

import pytest

from gateway.token.request import MOST_TEXT, read_basic, read_form, read_query
from services.token.domain import MOST_SCOPES
from services.token.errors import TooManyScopes, UnknownService, UnsupportedGrant, WrongCredentials
from shared.auth.authenticate import Credential
from shared.errors import BadRequest
from shared.secrets import Secret
from shared.settings import TOKEN_SERVICE

FORM = "application/x-www-form-urlencoded"
SERVICE = f"service={TOKEN_SERVICE}"


def _query(text: str) -> object:
    return read_query(text)


def _basic(text: str | bytes) -> str:
    return "Basic " + b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def _form(**parameters: str) -> bytes:
    defaults = {"service": TOKEN_SERVICE, "client_id": "docker", "grant_type": "password"}
    return urlencode(defaults | parameters).encode()


def test_what_docker_login_sends_is_read() -> None:
    asked = read_query(f"account=anna&client_id=docker&offline_token=true&{SERVICE}")
    assert (asked.scopes, asked.client_id, asked.offline) == ((), "docker", True)


@pytest.mark.parametrize("query", ["", "service=", "service=another", "scope=repository:library/app:pull"])
def test_a_service_that_is_missing_or_unknown_is_named(query: str) -> None:
    with pytest.raises(UnknownService, match=TOKEN_SERVICE):
        _query(query)


def test_scripts_written_for_harbor_name_its_service() -> None:
    assert _query("service=harbor-registry")


@pytest.mark.parametrize("name", ["service", "client_id", "offline_token"])
def test_a_parameter_sent_twice_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match=name):
        _query(f"{SERVICE}&{name}={TOKEN_SERVICE}&{name}=x")


def test_a_thousand_scopes_or_a_hundred_kilobytes_are_refused() -> None:
    many = "&".join(f"scope=repository:library/a{number}:pull" for number in range(1_000))
    for query in (many, "scope=" + "a" * 100_000, "scope=" + "+".join(["repository:a/b:pull"] * (MOST_SCOPES + 1))):
        with pytest.raises((BadRequest, TooManyScopes)):
            _query(f"{SERVICE}&{query}")
    with pytest.raises(BadRequest, match=str(MOST_TEXT)):
        _query(f"{SERVICE}&scope=" + "a" * (MOST_TEXT + 1))


@pytest.mark.parametrize(
    ("sent", "name", "password"),
    [
        ("anna:Correct1horse", "anna", "Correct1horse"),
        ("anna:a:b:c", "anna", "a:b:c"),
        ("robot$library+ci:secret", "robot$library+ci", "secret"),
        ("änna:pässword", "änna", "pässword"),
        ("änna:pässword".encode("latin-1"), "änna", "pässword"),
        ("anna:", "anna", ""),
        (":x", "", "x"),
    ],
)
def test_basic_credentials_are_read(sent: str | bytes, name: str, password: str) -> None:
    credential = read_basic(_basic(sent))
    assert credential is not None
    assert (credential.name, credential.password.reveal()) == (name, password)


def test_without_a_header_nobody_has_signed_in() -> None:
    assert read_basic(None) is None


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic YW5uYQ==", "Bearer abc", "basic\t"])
def test_a_header_that_is_no_basic_credential_is_a_wrong_credential(header: str) -> None:
    with pytest.raises(WrongCredentials):
        read_basic(header)


def test_a_password_is_masked_in_text() -> None:
    assert "Correct1horse" not in repr(read_basic(_basic("anna:Correct1horse")))


def test_a_form_with_a_password_is_read() -> None:
    form = read_form(_form(username="anna", password="p&=+ ä", access_type="offline"), f"{FORM}; charset=utf-8")
    assert isinstance(form.proof, Credential)
    assert (form.proof.name, form.proof.password.reveal(), form.asked.offline) == ("anna", "p&=+ ä", True)


def test_a_form_with_a_refresh_token_is_read() -> None:
    form = read_form(_form(grant_type="refresh_token", refresh_token="bwrt_x"), FORM)
    assert isinstance(form.proof, Secret)
    assert form.proof.reveal() == "bwrt_x"


@pytest.mark.parametrize("grant", ["", "authorization_code", "client_credentials"])
def test_another_grant_is_refused(grant: str) -> None:
    with pytest.raises(UnsupportedGrant):
        read_form(_form(grant_type=grant), FORM)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"{}", "application/json"),
        (_form(username="anna"), None),
        ("service=ä".encode(), FORM),
        (b"\xff\xfe", FORM),
        (_form(client_id=""), FORM),
        (b"grant_type=password", FORM),
    ],
)
def test_a_form_that_cannot_be_read_is_refused(body: bytes, content_type: str | None) -> None:
    with pytest.raises(BadRequest):
        read_form(body, content_type)
