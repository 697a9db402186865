"""Which certificate is handed out for clients to trust."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.core.resources.systeminfo import root_certificate

KEY = ec.generate_private_key(ec.SECP256R1())


def certificate(subject: str, issuer: str) -> bytes:
    now = datetime.now(UTC)
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    built = x509.CertificateBuilder(names[1], names[0], KEY.public_key(), 1, now, now + timedelta(days=1))
    return built.sign(KEY, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_the_self_signed_end_of_a_chain_is_handed_out(tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    root = certificate("root", "root")
    chain.write_bytes(certificate("host", "root") + root)
    assert root_certificate(chain) == root


@pytest.mark.parametrize("content", [b"", b"no certificate", certificate("host", "elsewhere")])
def test_a_chain_without_its_root_hands_out_nothing(tmp_path: Path, content: bytes) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_bytes(content)
    assert root_certificate(chain) is None
    assert root_certificate(tmp_path / "missing.pem") is None
    assert root_certificate(None) is None
