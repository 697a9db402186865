"""What a WWW-Authenticate header asks for."""

from __future__ import annotations

import pytest

from services.replication.remote.auth import Challenge, parse

REALM = "https://auth.example/token"


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Basic realm="x"', Challenge(bearer=False)),
        ("basic", Challenge(bearer=False)),
        ('Basic realm="Bearer of bad news"', Challenge(bearer=False)),
        (
            f'Bearer realm="{REALM}",service="r",scope="repository:a/b:pull,push"',
            Challenge(bearer=True, realm=REALM, service="r", scope="repository:a/b:pull,push"),
        ),
        (f"bearer realm={REALM}, service=r", Challenge(bearer=True, realm=REALM, service="r")),
        (f'Basic realm="x", Bearer realm="{REALM}"', Challenge(bearer=True, realm=REALM)),
        (f'Bearer realm="{REALM}", Basic realm="x"', Challenge(bearer=True, realm=REALM)),
        ("Bearer", Challenge(bearer=True)),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_a_challenge_is_read(header: str, challenge: Challenge | None) -> None:
    assert parse(header) == challenge
