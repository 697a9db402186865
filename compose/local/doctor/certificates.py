"""Faults of certificates: the proxy's own, that clients judge, and those of the keys that sign registry tokens."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509

from compose.local.certificate import TRUSTED, refuse_bad_certificate, unknown_issuer
from compose.local.doctor.finding import Finding, broken, warning
from compose.local.doctor.patient import Check, Patient
from services.token.errors import SigningKeysUnusable
from services.token.keys import read_ring
from shared.errors import ConfigurationError

SOON: Final = timedelta(days=30)
_NEW: Final = (
    "./breakwater up renews one that it has made; put a given one and its key where BREAKWATER_TLS_CERT and"
    " _KEY tell, then ./breakwater up"
)


def tls(patient: Patient) -> Iterator[Finding]:
    """The certificate that clients are shown, and the one that the next `up` would take."""
    options, public = patient.options, patient.layout.public_certificate
    if not options.tls:
        return
    given = None
    if options.tls_cert and options.tls_key:
        try:
            refuse_bad_certificate(options.tls_cert, options.tls_key)
        except ConfigurationError as error:
            yield broken(error.sentence, _NEW)
            return
        given = options.tls_cert.read_bytes()
    served = public.read_bytes() if public.exists() else given
    if served is None:
        yield broken(f"there is no certificate in {public} to show to clients", "./breakwater up makes one")
        return
    host = options.url.host if options.url else None
    chain = x509.load_pem_x509_certificates(served)
    yield from judge_served(chain[0], host, patient.now)
    yield from judge_chain(chain)
    if given not in {None, served}:
        yield warning(
            f"the certificate in {options.tls_cert} is not the one that clients are shown",
            "./breakwater up takes it over",
        )


def judge_served(certificate: x509.Certificate, host: str | None, now: datetime) -> Iterator[Finding]:
    """What clients hold against it, or will soon."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        yield broken(f"clients refuse the TLS certificate: it ended on {ends:%Y-%m-%d %H:%M} UTC", _NEW)
    elif now < begins:
        yield broken(
            f"clients refuse the TLS certificate: it begins on {begins:%Y-%m-%d %H:%M} UTC",
            "look whether this machine's clock is right; if it is, use a certificate that has begun",
        )
    elif ends - now < SOON:
        yield warning(f"the TLS certificate ends on {ends:%Y-%m-%d %H:%M} UTC, in {(ends - now).days} days", _NEW)
    if host is not None and not names(certificate, host):
        yield broken(
            f"clients refuse the TLS certificate: it is not for {host}, the host of BREAKWATER_URL",
            "use a certificate that names the host, or set BREAKWATER_URL to a name in it",
        )


def judge_chain(chain: Sequence[x509.Certificate], trusted: Path = TRUSTED) -> Iterator[Finding]:
    """Whether clients find from it to an authority."""
    if issuer := unknown_issuer(chain, trusted):
        yield warning(
            f"the TLS certificate comes without that of its issuer, {issuer}, which this machine does not trust:"
            " clients that do not have it refuse it",
            "append the issuer's certificate to the file of BREAKWATER_TLS_CERT, then ./breakwater up",
        )


def names(certificate: x509.Certificate, host: str) -> bool:
    """Whether a certificate is for this host, as clients judge it (RFC 6125): by its alternative names alone."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return ip_address(bare) in found.get_values_for_type(x509.IPAddress)
    except ValueError:
        patterns = [name.lower() for name in found.get_values_for_type(x509.DNSName)]
    first, _, rest = bare.partition(".")
    return any(pattern == bare or (bool(first and rest) and pattern == f"*.{rest}") for pattern in patterns)


def signing_keys(patient: Patient) -> Iterator[Finding]:
    """The keys themselves, how long their certificates are good, and whether the registry's bundle holds them."""
    secrets = patient.layout.secrets
    folder, bundle = secrets / "token" / "signing", secrets / "registry" / "bundle.pem"
    try:
        ring = read_ring(folder)
    except SigningKeysUnusable as error:
        yield broken(
            f"no token can be signed: {error.sentence}",
            "restore the folder from a backup; without one remove it: ./breakwater up makes new keys",
        )
        return
    turns = {"root": ring.root, "current key": ring.current.certificate, "next key": ring.next.certificate}
    for turn, certificate in turns.items():
        yield from judge_signer(turn, certificate, patient.now)
    if read_bundle(bundle) != set(x509.load_pem_x509_certificates(ring.bundle)):
        yield broken(
            f"{bundle} does not hold the certificates of the keys that sign: the registry refuses their tokens",
            "./breakwater up writes it anew; then ./breakwater down and up, for the registry reads it at its start",
        )


def judge_signer(turn: str, certificate: x509.Certificate, now: datetime) -> Iterator[Finding]:
    """Whether a signer's certificate is good, and for how long."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > ends:
        yield broken(f"the certificate of the {turn} ended on {ends:%Y-%m-%d}: tokens are refused", _anew(turn))
    elif now < begins:
        yield broken(
            f"the certificate of the {turn} begins on {begins:%Y-%m-%d}, which is in the future here",
            "set this machine's clock: it is behind",
        )
    elif ends - now < SOON:
        yield warning(f"the certificate of the {turn} ends on {ends:%Y-%m-%d}", _anew(turn))


def read_bundle(path: Path) -> set[x509.Certificate]:
    """The certificates in a file; none where it cannot be read."""
    try:
        return set(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError):
        return set()


def _anew(turn: str) -> str:
    return "./breakwater keys renew makes a new root and keys" if turn == "root" else "./breakwater keys rotate"


CHECKS: Final[Iterable[Check]] = (
    Check(
        name="certificate",
        looks_for="a TLS certificate that has ended, ends within 30 days, has not begun, is not for the host of"
        " BREAKWATER_URL, does not fit its key, comes without its issuer's, or is newer than the one that is served",
        remedy="put the new certificate and key in their places and run `./breakwater up`",
        ask=tls,
    ),
    Check(
        name="signing-keys",
        looks_for="keys for tokens that are missing or whose certificates end, and a registry's bundle without them",
        remedy="`./breakwater keys list` shows them; `keys rotate` and `keys renew` make new ones",
        ask=signing_keys,
    ),
)
