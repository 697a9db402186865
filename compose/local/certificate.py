"""The proxy's certificate: a given one is refused or warned of where it is of no use, another made by an own authority.

The authority is made once, so that clients are told of it once; what it signs is renewed by an `up` that finds it old.
"""

import ssl
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
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
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from compose.local.layout import Layout
from shared.errors import ConfigurationError

_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
)  # fmt: skip
_AUTHORITY_LASTS: Final = timedelta(days=3650)
_LASTS: Final = timedelta(days=390)
"""Clients refuse what lasts longer than 398 days."""
_RENEWED_BEFORE: Final = timedelta(days=60)
_CLOCKS_DIFFER: Final = timedelta(hours=1)
TRUSTED: Final = Path("/etc/ssl/certs/ca-certificates.crt")
"""The authorities that this machine trusts."""


def make_certificate(folder: Path, names: Sequence[str], now: datetime) -> tuple[Path, Path]:
    """The files of a chain, its authority last, and of its key, for these names; what is there and good is left.

    The folder also holds the authority's key: whoever reads it can pass for anybody towards clients that trust it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    chain, key = folder / "tls.crt", folder / "tls.key"
    authority, authority_key = _authority(folder, now)
    if key.exists() and _still_serves(chain, names, authority, now):
        return chain, key
    own = ec.generate_private_key(ec.SECP256R1())
    made = (
        _builder(_called(names[0]), authority.subject, own, now, _LASTS)
        .add_extension(x509.SubjectAlternativeName(list(map(_named, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    chain.unlink(missing_ok=True)
    _write_key(key, own)
    chain.write_bytes(made.public_bytes(Encoding.PEM) + authority.public_bytes(Encoding.PEM))
    return chain, key


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    file, key_file = folder / "authority.crt", folder / "authority.key"
    if file.exists():
        key = load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{key_file} is not the key that was made there")
        return x509.load_pem_x509_certificate(file.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = _called("Breakwater authority")
    certificate = (
        _builder(name, name, key, now, _AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write_key(key_file, key)
    file.write_bytes(certificate.public_bytes(Encoding.PEM))
    return certificate, key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lasts: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + lasts)
    )


def _still_serves(chain: Path, names: Sequence[str], authority: x509.Certificate, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    except (OSError, ValueError):
        return False
    told = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        list(told) == list(map(_named, names))
        and certificate.issuer == authority.subject
        and certificate.not_valid_after_utc - now > _RENEWED_BEFORE
    )


def _named(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def refuse_bad_certificate(
    certificate: Path, key: Path, *, named: str = "BREAKWATER_TLS_CERT and BREAKWATER_TLS_KEY"
) -> None:
    """Raises ConfigurationError where the two, by these names, cannot be read or do not belong together."""

    def no_passphrase() -> str:
        raise ConfigurationError(f"the key in {key} has a passphrase, and nobody is there to type it: take it off")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=no_passphrase)
    except ssl.SSLError as error:
        why = "the key is not this certificate's" if error.reason in _MISMATCHES else error.reason or error
        raise ConfigurationError(f"{named} cannot be used together: {why}") from error
    except OSError as error:
        raise ConfigurationError(f"the TLS certificate or its key cannot be read: {error.strerror}") from error


def unknown_issuer(chain: Sequence[x509.Certificate], trusted: Path = TRUSTED) -> str | None:
    """The issuer of a certificate that comes alone, where this machine does not trust it either; else None.

    That is mostly an intermediate one that was left out: clients have no way from the certificate to its root.
    """
    served, *others = chain
    if served.issuer == served.subject or any(each.subject == served.issuer for each in others):
        return None
    known = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with suppress(OSError):
        known.load_verify_locations(trusted)
    # by its bytes: some roots that all machines trust are not quite what a stricter reader takes
    name = served.issuer.public_bytes()
    is_known = any(name in authority for authority in known.get_ca_certs(binary_form=True))
    return None if is_known else served.issuer.rfc4514_string()


def certificate_warning(layout: Layout, now: datetime) -> str | None:
    """What clients hold against the certificate in use; None where there is none, or it is not ours to read.

    An ended one is served all the same: to refuse the start would stop events and records as well.
    """
    try:
        chain = x509.load_pem_x509_certificates(layout.certificate.read_bytes())
    except OSError:
        return None
    certificate = chain[0]
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return f"clients refuse the TLS certificate: it ended on {ends:%Y-%m-%d %H:%M} UTC; `up` takes a new one over"
    if now < begins:
        return f"clients refuse the TLS certificate: it begins on {begins:%Y-%m-%d %H:%M} UTC"
    if issuer := unknown_issuer(chain):
        return (
            f"the TLS certificate comes without that of its issuer, {issuer}, which this machine does not trust: "
            "clients that do not have it refuse it; append it to the file of BREAKWATER_TLS_CERT"
        )
    return None
