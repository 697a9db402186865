"""Which tokens are believed: real keys, and forgeries of every kind."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.token.commands import Issuer
from services.token.domain import Access
from services.token.keys import KeyRing, ensure, read_ring, rotate
from services.token.signing import CurrentSigner
from shared.auth.bearer import Bearer, Rejected, Verifier, key_id
from shared.auth.principals import PrincipalKind
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE


def _now() -> datetime:
    """Not the time of collection: a long run would find these tokens over."""
    return datetime.now(UTC)


class Keys:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "signing"
        self.bundle = folder / "bundle.pem"
        self.ring: KeyRing = ensure(self.folder, self.bundle, _now())

    def issue(self, subject: str = "alice", *, lifetime: timedelta = timedelta(minutes=5), **more: str) -> str:
        access = tuple(Access(type="repository", name=name, actions=tuple(more[name].split(","))) for name in more)
        issuer = Issuer(
            signer=CurrentSigner(self.folder), issuer=TOKEN_ISSUER, audience=TOKEN_SERVICE, lifetime=lifetime
        )
        return issuer.issue(subject, access, _now()).token

    def forge(
        self,
        key: Any = None,  # noqa: ANN401 - PyJWT takes keys of many types
        algorithm: str = "ES256",
        header: dict[str, Any] | None = None,
        **claims: object,
    ) -> str:
        """A token with anything in it, by the current key unless another is given."""
        current = self.ring.current
        payload = {
            "iss": TOKEN_ISSUER, "aud": TOKEN_SERVICE, "sub": "alice", "exp": _now().timestamp() + 300,
            "access": [{"type": "repository", "name": "library/app", "actions": ["push"]}],
        }  # fmt: skip
        content = {name: value for name, value in (payload | claims).items() if value is not None}
        headers = {"kid": current.kid} if header is None else header
        return jwt.encode(content, current.private if key is None else key, algorithm, headers=headers)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def verifier(keys: Keys) -> Verifier:
    return Verifier(keys.bundle)


def test_a_token_of_ours_says_who_and_what(keys: Keys, verifier: Verifier) -> None:
    bearer = verifier.verify(keys.issue(**{"library/app": "pull,push"}))
    assert isinstance(bearer, Bearer)
    assert (bearer.subject, bearer.kind) == ("alice", PrincipalKind.USER)
    assert bearer.allows("push", "library/app")
    assert not bearer.allows("delete", "library/app")
    assert not bearer.allows("push", "library/other")


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("", PrincipalKind.ANONYMOUS),
        ("robot$library+ci", PrincipalKind.ROBOT),
        ("system:replication", PrincipalKind.SYSTEM),
        ("robotic", PrincipalKind.USER),
    ],
)
def test_a_subject_tells_its_kind(keys: Keys, verifier: Verifier, subject: str, kind: PrincipalKind) -> None:
    bearer = verifier.verify(keys.issue(subject))
    assert isinstance(bearer, Bearer)
    assert bearer.kind is kind


def _public_pem(keys: Keys) -> bytes:
    return keys.ring.current.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _hmac_with_the_public_key(keys: Keys) -> str:
    """PyJWT refuses to sign so; an attacker does not use PyJWT."""
    def part(value: object) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    message = part({"alg": "HS256", "kid": keys.ring.current.kid}) + b"." + part(
        {"iss": TOKEN_ISSUER, "aud": TOKEN_SERVICE, "sub": "alice", "exp": _now().timestamp() + 300}
    )
    signature = hmac.new(_public_pem(keys), message, hashlib.sha256).digest()
    return (message + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def _certificate_of_an_attacker(keys: Keys) -> str:
    other = Keys(keys.folder.parent / "attacker")
    return keys.forge(other.ring.current.private, header={"kid": "x", "x5c": [other.ring.current.x5c]})


def _key_in_the_header(keys: Keys) -> str:
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    encoded = [base64.urlsafe_b64encode(n.to_bytes(32, "big")).decode().rstrip("=") for n in (numbers.x, numbers.y)]
    jwk = {"kty": "EC", "crv": "P-256", "x": encoded[0], "y": encoded[1]}
    return keys.forge(private, header={"kid": "x", "jwk": jwk})


FORGERIES: dict[str, Callable[[Keys], str]] = {
    "no token": lambda _: "",
    "no dots": lambda _: "x",
    "too long": lambda _: "a" * 100_000,
    "alg none": lambda keys: keys.forge("", "none"),
    "HMAC with the public key": _hmac_with_the_public_key,
    "another key under our kid": lambda keys: keys.forge(ec.generate_private_key(ec.SECP256R1())),
    "RS256": lambda keys: keys.forge(rsa.generate_private_key(65537, 2048), "RS256"),
    "an unknown kid": lambda keys: keys.forge(header={"kid": "AAAA:BBBB"}),
    "no kid": lambda keys: keys.forge(header={}),
    "an attacker's certificate": _certificate_of_an_attacker,
    "an attacker's key in the header": _key_in_the_header,
    "our certificate, another key": lambda keys: keys.forge(
        ec.generate_private_key(ec.SECP256R1()), header={"x5c": [keys.ring.current.x5c]}
    ),
    "x5c of rubbish": lambda keys: keys.forge(header={"x5c": ["AAAA"]}),
    "another issuer": lambda keys: keys.forge(iss="other"),
    "no issuer": lambda keys: keys.forge(iss=None),
    "another audience": lambda keys: keys.forge(aud="other"),
    "no audience": lambda keys: keys.forge(aud=None),
    "no end": lambda keys: keys.forge(exp=None),
    "over by more than the leeway": lambda keys: keys.forge(exp=_now().timestamp() - 90),
    "an end that is no number": lambda keys: keys.forge(exp="soon"),
    "an end beyond all numbers": lambda keys: keys.forge(exp=1e400),
    "not valid yet": lambda keys: keys.forge(nbf=_now().timestamp() + 300),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_is_rejected(keys: Keys, verifier: Verifier, forgery: Callable[[Keys], str]) -> None:
    assert isinstance(verifier.verify(forgery(keys)), Rejected)


@pytest.mark.parametrize(
    "access",
    [None, "x", [5], [{"type": "registry", "name": "catalog", "actions": ["*"]}],
     [{"type": "repository", "name": 5, "actions": ["push"]}], [{"type": "repository", "name": "a/b", "actions": 5}],
     [{"type": "repository", "name": "a/b", "actions": [5]}]],
)  # fmt: skip
def test_access_of_another_form_grants_nothing(keys: Keys, verifier: Verifier, access: object) -> None:
    bearer = verifier.verify(keys.forge(access=access))
    assert isinstance(bearer, Bearer)
    assert not bearer.allows("push", "a/b")


@pytest.mark.parametrize(
    ("access", "opened"),
    [
        ([{"type": "registry", "name": "catalog", "actions": ["*"]}], True),
        ([{"type": "repository"}, {"type": "registry", "name": "catalog", "actions": ["*"]}], True),
        ([{"type": "registry", "name": "catalog", "actions": []}], False),
        ([{"type": "registry", "name": "catalog", "actions": "*"}], False),
        ([{"type": "registry", "name": "catalog"}], False),
        ([{"type": "registry", "name": "*", "actions": ["*"]}], False),
        ([{"type": "repository", "name": "catalog", "actions": ["*"]}], False),
        ({"type": "registry", "name": "catalog", "actions": ["*"]}, False),
        ("registry:catalog:*", False),
        (None, False),
    ],
)
def test_only_the_catalog_s_own_entry_opens_the_catalog(
    keys: Keys, verifier: Verifier, access: object, *, opened: bool
) -> None:
    believed = verifier.read(f"Bearer {keys.forge(access=access)}")
    assert isinstance(believed, Bearer)
    assert believed.lists_all is opened


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Bearerx y", "Token x"])
def test_a_header_without_a_token_is_neither_believed_nor_rejected(verifier: Verifier, header: str | None) -> None:
    assert verifier.read(header) is None


def test_a_clock_may_be_a_minute_off(keys: Keys, verifier: Verifier) -> None:
    assert isinstance(verifier.verify(keys.issue(lifetime=timedelta(seconds=-30))), Bearer)


def test_rotation_is_noticed_and_old_tokens_live_on(keys: Keys, verifier: Verifier) -> None:
    before = keys.issue()
    assert isinstance(verifier.verify(before), Bearer)
    for _ in range(4):
        rotate(keys.folder, keys.bundle, _now())
        assert isinstance(verifier.verify(keys.issue()), Bearer)
    # no longer in the bundle, but issued by the root that is
    assert key_id(keys.ring.current.certificate) != read_ring(keys.folder).current.kid
    assert isinstance(verifier.verify(before), Bearer)


def test_an_unreadable_bundle_leaves_what_was_known(keys: Keys, verifier: Verifier) -> None:
    token = keys.issue()
    assert isinstance(verifier.verify(token), Bearer)
    keys.bundle.write_text("nothing")
    assert isinstance(verifier.verify(token), Bearer)
    keys.bundle.unlink()
    assert isinstance(verifier.verify(token), Bearer)


def test_without_a_bundle_nobody_is_believed(keys: Keys, tmp_path: Path) -> None:
    assert isinstance(Verifier(tmp_path / "none.pem").verify(keys.issue()), Rejected)


def test_the_key_id_is_the_one_in_the_token(keys: Keys) -> None:
    assert jwt.get_unverified_header(keys.issue())["kid"] == key_id(keys.ring.current.certificate)
