"""Signing keys with their certificates: the root that issues, and the signers that it issues."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from shared.auth.bearer import key_id

_LIFETIME: Final = timedelta(days=20 * 365)
BACKDATED: Final = timedelta(days=1)
"""A registry whose clock is behind must not find a certificate not yet valid."""


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A private key with its certificate."""

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def kid(self) -> str:
        """The key id as the registry computes it: libtrust's fingerprint of the public key."""
        return key_id(self.certificate)

    @property
    def x5c(self) -> str:
        """The certificate as a token's header carries it."""
        return b64encode(self.certificate.public_bytes(Encoding.DER)).decode()

    @property
    def slug(self) -> str:
        """The key id as a file's name."""
        return self.kid.replace(":", "").lower()


def issue(root: SigningKey | None, now: datetime) -> SigningKey:
    """A new signer's key, certified by the root; without one, a root itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    serial = x509.random_serial_number()
    # short, for it travels in every token
    title = f"Breakwater token {'signer' if root else 'root'} {serial % 2**32:08x}"
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=root is None, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    issuer = root.certificate if root else None
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(issuer.not_valid_after_utc if issuer else now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=root is None, path_length=None if root else 0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root.private.public_key() if root else public),
            critical=False,
        )
    )
    certificate = builder.sign(root.private if root else private, hashes.SHA256())
    return SigningKey(private=private, certificate=certificate)


def to_pem(key: SigningKey) -> bytes:
    """A key and its certificate as one file holds them."""
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + key.certificate.public_bytes(
        Encoding.PEM
    )


def from_pem(pem: bytes) -> SigningKey:
    """The key of such a file. Raises ValueError."""
    private = load_pem_private_key(pem, None)
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic curve key")  # noqa: TRY004 - what is wrong is the file's content
    return SigningKey(private=private, certificate=x509.load_pem_x509_certificate(pem))
