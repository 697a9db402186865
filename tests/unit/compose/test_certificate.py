"""A certificate that cannot be used is refused in a sentence; one that clients refuse is warned of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from compose.local.certificate import certificate_warning, make_certificate, refuse_bad_certificate, unknown_issuer
from compose.local.layout import Layout
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def write_key(path: Path, key: Key, passphrase: bytes | None = None) -> Path:
    lock = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return path


def write_certificate(path: Path, key: Key, *, begins: datetime = NOW, days: int = 30) -> Path:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry.test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_certificate_with_its_key_is_taken(tmp_path: Path, key: Key) -> None:
    refuse_bad_certificate(write_certificate(tmp_path / "cert", key), write_key(tmp_path / "key", key))


@pytest.mark.parametrize(
    "other", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)], ids=["ec", "rsa"]
)
def test_key_of_another_certificate_is_refused(tmp_path: Path, key: Key, other: Key) -> None:
    certificate = write_certificate(tmp_path / "cert", key)
    with pytest.raises(ConfigurationError, match="cannot be used together: the key is not this certificate's"):
        refuse_bad_certificate(certificate, write_key(tmp_path / "key", other))


def test_locked_key_is_refused_and_nobody_is_asked(tmp_path: Path, key: Key) -> None:
    certificate = write_certificate(tmp_path / "cert", key)
    with pytest.raises(ConfigurationError, match="has a passphrase, and nobody is there to type it"):
        refuse_bad_certificate(certificate, write_key(tmp_path / "key", key, b"secret"))


@pytest.mark.parametrize(
    ("begins", "days", "warning"),
    [
        (NOW - timedelta(days=1), 2, None),
        (NOW - timedelta(days=30), 29, "it ended on 2026-04-30 12:00 UTC"),
        (NOW + timedelta(days=1), 2, "it begins on 2026-05-02 12:00 UTC"),
    ],
)
def test_certificate_out_of_its_time_is_warned_of(
    tmp_path: Path, key: Key, begins: datetime, days: int, warning: str | None
) -> None:
    layout = Layout(tmp_path)
    write_certificate(layout.certificate, key, begins=begins, days=days)
    told = certificate_warning(layout, NOW)
    assert (told is None) if warning is None else (told is not None and warning in told)


def test_certificate_that_comes_without_its_issuer_s_is_warned_of(tmp_path: Path) -> None:
    chain, _ = make_certificate(tmp_path / "made", NAMES, NOW)
    layout = Layout(tmp_path)
    layout.certificate.parent.mkdir(parents=True)
    layout.certificate.write_bytes(chain.read_bytes())
    assert certificate_warning(layout, NOW) is None
    served, authority = x509.load_pem_x509_certificates(chain.read_bytes())
    layout.certificate.write_bytes(served.public_bytes(Encoding.PEM))
    told = certificate_warning(layout, NOW)
    assert told is not None
    assert "comes without that of its issuer, CN=Breakwater authority" in told
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.public_bytes(Encoding.PEM))
    assert unknown_issuer([served], trusted) is None
    assert unknown_issuer([served], tmp_path / "none.pem") == "CN=Breakwater authority"
    assert unknown_issuer([authority], tmp_path / "none.pem") is None


def test_without_a_certificate_nothing_is_warned_of(tmp_path: Path) -> None:
    assert certificate_warning(Layout(tmp_path), NOW) is None


NAMES = ("registry.test", "192.0.2.7")


def chain(file: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(file.read_bytes())


def test_made_certificate_is_for_the_names_and_signed_by_the_authority_behind_it(tmp_path: Path) -> None:
    file, key = make_certificate(tmp_path / "tls", NAMES, NOW)
    refuse_bad_certificate(file, key)
    made, authority = chain(file)
    made.verify_directly_issued_by(authority)
    authority.verify_directly_issued_by(authority)
    told = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert told.get_values_for_type(x509.DNSName) == ["registry.test"]
    assert [str(address) for address in told.get_values_for_type(x509.IPAddress)] == ["192.0.2.7"]
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert made.not_valid_after_utc - made.not_valid_before_utc < timedelta(days=398)
    assert not key.stat().st_mode & 0o077
    assert not file.with_name("authority.key").stat().st_mode & 0o077


@pytest.mark.parametrize(
    ("names", "days", "renewed"),
    [(NAMES, 0, False), (NAMES, 300, False), (NAMES, 340, True), (("other.test",), 1, True)],
)
def test_certificate_is_made_anew_when_it_grows_old_or_the_names_change_and_the_authority_stays(
    tmp_path: Path, names: tuple[str, ...], days: int, renewed: bool  # noqa: FBT001 - a row of the table
) -> None:
    file, _ = make_certificate(tmp_path / "tls", NAMES, NOW)
    before, authority = chain(file)
    make_certificate(tmp_path / "tls", names, NOW + timedelta(days=days))
    after, same = chain(file)
    assert (after != before) is renewed
    assert same == authority


def test_crash_between_key_and_certificate_is_made_good(tmp_path: Path) -> None:
    file, key = make_certificate(tmp_path / "tls", NAMES, NOW)
    file.unlink()
    key.write_bytes(b"half")
    refuse_bad_certificate(*make_certificate(tmp_path / "tls", NAMES, NOW))
