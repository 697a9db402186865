"""The certificate that an operator gives: refused where the proxy could not use it, warned of where clients do not."""

import ssl
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from compose.local.layout import Layout
from shared.errors import ConfigurationError

_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})


def refuse_bad_certificate(certificate: Path, key: Path) -> None:
    """Raises ConfigurationError where the two cannot be read or do not belong together."""

    def no_passphrase() -> str:
        raise ConfigurationError(f"the key in {key} has a passphrase, and nobody is there to type it: take it off")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=no_passphrase)
    except ssl.SSLError as error:
        why = "the key is not this certificate's" if error.reason in _MISMATCHES else error.reason or error
        raise ConfigurationError(
            f"BREAKWATER_TLS_CERT and BREAKWATER_TLS_KEY cannot be used together: {why}"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"the TLS certificate or its key cannot be read: {error.strerror}") from error


def certificate_warning(layout: Layout, now: datetime) -> str | None:
    """What clients hold against the certificate in use; None where there is none, or it is not ours to read.

    An ended one is served all the same: to refuse the start would stop events and records as well.
    """
    try:
        certificate = x509.load_pem_x509_certificate(layout.certificate.read_bytes())
    except OSError:
        return None
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        return f"clients refuse the TLS certificate: it ended on {ends:%Y-%m-%d %H:%M} UTC; `up` takes a new one over"
    if now < begins:
        return f"clients refuse the TLS certificate: it begins on {begins:%Y-%m-%d %H:%M} UTC"
    return None
