"""Forged registry tokens: each is a genuine one whose signature, key or header an attacker chose."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def encoded(part: bytes | Mapping[str, Any]) -> str:
    """One part of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A token's header and claims, unverified."""
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


def _unsigned(token: str) -> str:
    header, claims = read(token)
    return f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}."


def _leaf(token: str) -> x509.Certificate:
    header, _ = read(token)
    return x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))


def _hmac_with(encoding: serialization.Encoding) -> Callable[[str], str]:
    def forge(token: str) -> str:
        header, claims = read(token)
        public = _leaf(token).public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
        signed = f"{encoded(header | {'alg': 'HS256'})}.{encoded(claims)}"
        return f"{signed}.{encoded(hmac.new(public, signed.encode(), hashlib.sha256).digest())}"

    return forge


def _certificate(key: ec.EllipticCurvePrivateKey, like: x509.Certificate) -> str:
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "breakwater")]))
        .public_key(key.public_key())
        .serial_number(like.serial_number)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


def _own_key(token: str) -> str:
    """Signed by the attacker under the genuine key's name."""
    header, claims = read(token)
    return jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers=header)


def _own_certificate(token: str) -> str:
    header, claims = read(token)
    key = ec.generate_private_key(ec.SECP256R1())
    forged = header | {"x5c": [_certificate(key, _leaf(token))]}
    return jwt.encode(claims, key, algorithm="ES256", headers=forged)


def _own_jwk(token: str) -> str:
    header, claims = read(token)
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    jwk = {
        "kty": "EC", "crv": "P-256", "kid": header.get("kid", ""),
        "x": encoded(numbers.x.to_bytes(32, "big")), "y": encoded(numbers.y.to_bytes(32, "big")),
    }
    forged = {name: value for name, value in header.items() if name != "x5c"} | {"jwk": jwk}
    return jwt.encode(claims, key, algorithm="ES256", headers=forged)


def _unknown_kid(token: str) -> str:
    _, claims = read(token)
    key = ec.generate_private_key(ec.SECP256R1())
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": "AAAA:" * 11 + "AAAA"})


def _widened(token: str) -> str:
    """The genuine signature under claims that grant more."""
    head, _, signature = token.split(".")
    _, claims = read(token)
    wider = claims | {"access": [{**entry, "actions": ["*"]} for entry in claims["access"]]}
    return f"{head}.{encoded(wider)}.{signature}"


FORGERIES: Final[Mapping[str, Callable[[str], str]]] = {
    "alg none": _unsigned,
    "HS256 with the public key as PEM": _hmac_with(serialization.Encoding.PEM),
    "HS256 with the public key as DER": _hmac_with(serialization.Encoding.DER),
    "the attacker's key under the genuine kid": _own_key,
    "the attacker's certificate in x5c": _own_certificate,
    "the attacker's key in jwk": _own_jwk,
    "an unknown kid": _unknown_kid,
    "claims widened under the genuine signature": _widened,
    "cut short": lambda token: token[:-10],
    "three dots": lambda _: "..",
    "no token at all": lambda _: "x",
}
