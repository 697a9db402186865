"""Reading Basic credentials."""

from base64 import b64encode

import pytest

from gateway.core.middleware.authentication import basic_credential


def test_a_basic_header_is_a_name_and_a_password() -> None:
    header = "basic " + b64encode("jürgen:a:b".encode()).decode()
    credential = basic_credential(header)
    assert credential
    assert credential.name == "jürgen"
    assert credential.password.reveal() == "a:b"
    assert "a:b" not in repr(credential)


@pytest.mark.parametrize(
    "header",
    [
        "", "Basic", "Basic !!!", "Bearer abc", "Digest x",
        "Basic " + b64encode(b"no colon").decode(), "Basic " + b64encode(b"\xff:x").decode(),
    ],
)  # fmt: skip
def test_anything_else_is_no_credential(header: str) -> None:
    assert basic_credential(header) is None
