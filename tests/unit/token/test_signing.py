import json
import os
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from services.token.domain import Access, Claims
from services.token.errors import SigningKeysUnusable
from services.token.keys import STATE, ensure, rotate
from services.token.signing import CurrentSigner

NOW = datetime(2026, 1, 1, 12, 0, 0, 999_999, tzinfo=UTC)
ACCESS = (Access(type="repository", name="library/app", actions=("pull",)),)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    places = tmp_path / "signing", tmp_path / "bundle.pem"
    ensure(*places, NOW)
    return places


def _payload(subject: str = "anna") -> dict[str, object]:
    claims = Claims(subject=subject, access=ACCESS, issued_at=NOW, lifetime=timedelta(minutes=5))
    return claims.payload(issuer="issuer", audience="registry")


def test_the_signature_verifies_with_the_certificate_in_the_header(places: tuple[Path, Path]) -> None:
    token = CurrentSigner(places[0]).get().sign(_payload("änna"))
    header = jwt.get_unverified_header(token)
    leaf = x509.load_der_x509_certificate(b64decode(header["x5c"][0]))
    whenever = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, leaf.public_key(), ["ES256"], audience="registry", issuer="issuer", options=whenever)
    assert (header["alg"], header["typ"]) == ("ES256", "JWT")
    assert claims["sub"] == "änna"
    assert claims["access"] == [{"type": "repository", "name": "library/app", "actions": ["pull"]}]


def test_claims_are_of_the_types_that_registry_2_8_reads() -> None:
    payload = json.loads(json.dumps(_payload()))
    assert isinstance(payload["aud"], str)
    assert [type(payload[name]) for name in ("exp", "nbf", "iat")] == [int, int, int]
    assert payload["exp"] - payload["iat"] == 300
    assert payload["nbf"] <= payload["iat"] == 1_767_268_800


def test_no_two_tokens_have_the_same_id() -> None:
    assert len({_payload()["jti"] for _ in range(100)}) == 100


def test_a_rotation_is_noticed_at_the_next_token(places: tuple[Path, Path]) -> None:
    current = CurrentSigner(places[0])
    before = current.get().kid
    assert current.get().kid == before
    done = rotate(*places, NOW)
    assert (before, current.get().kid) == (done.previous, done.current)


def test_a_state_that_breaks_later_leaves_the_last_good_key_signing(places: tuple[Path, Path]) -> None:
    current = CurrentSigner(places[0])
    kid = current.get().kid
    (places[0] / STATE).write_text("{")
    assert current.get().kid == kid
    (places[0] / STATE).unlink()
    assert current.get().kid == kid


def test_without_any_key_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SigningKeysUnusable, match=STATE):
        CurrentSigner(tmp_path).get()


def test_a_state_replaced_within_one_clock_tick_is_noticed(places: tuple[Path, Path]) -> None:
    current = CurrentSigner(places[0])
    current.get()
    status = (places[0] / STATE).stat()
    done = rotate(*places, NOW)
    os.utime(places[0] / STATE, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert current.get().kid == done.current
