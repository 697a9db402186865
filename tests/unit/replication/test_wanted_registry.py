"""What a registry may be asked to be, and which secrets are kept for whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.wanted_registry import (
    MASK,
    RegistryWish,
    access_wanted,
    check_description,
    check_name,
    is_elsewhere,
)
from services.replication.errors import UnfitRegistry
from shared.outbound import Guard, Reach
from shared.secrets import Secret

REFUSES = Guard(Reach.PRIVATE).refuses
URL = "https://registry.example.test"


def certificate(name: str) -> str:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime(2026, 1, 1, tzinfo=UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


ONE, OTHER = certificate("one"), certificate("other")
STORED = Access(
    kind=RegistryKind.HARBOR, url=URL, access_key="robot", access_secret=Secret("stored"), ca_certificate=ONE,
    proxy=Secret("http://proxy.example.test:3128"),
)  # fmt: skip


def wish(**fields: object) -> RegistryWish:
    return RegistryWish(**({"kind": "harbor", "url": URL} | fields))  # type: ignore[arg-type]  # as the test says


def wanted(**fields: object) -> Access:
    return access_wanted(wish(**fields), None, refuses=REFUSES)


def changed(before: Access = STORED, **fields: object) -> Access:
    return access_wanted(RegistryWish(**fields), before, refuses=REFUSES)  # type: ignore[arg-type]  # as the test says


def test_what_is_not_said_has_a_default() -> None:
    assert wanted() == Access(kind=RegistryKind.HARBOR, url=URL)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://registry.example.test/", "https://registry.example.test"),
        (" http://10.1.2.3:8080/base// ", "http://10.1.2.3:8080/base"),
        ("https://[2001:db8::1]:5000", "https://[2001:db8::1]:5000"),
    ],
)
def test_an_address_is_kept_without_its_last_slash(given: str, kept: str) -> None:
    assert wanted(url=given).url == kept


@pytest.mark.parametrize(
    "url",
    [
        "", "registry.example.test", "ftp://registry.example.test", "file:///etc/passwd", "https://", "https:///path",
        "https://user@registry.example.test", "https://user:secret@registry.example.test",
        "https://@registry.example.test", "https://registry.example.test?a=b", "https://registry.example.test/?",
        "https://registry.example.test#x", "https://registry.example.test#", "https://registry.example.test:0",
        "https://registry.example.test:70000", "https://registry.example.test:x", "https://registry example.test",
        "https://registry.example.test/\r\nX: y", "https://r\u00e9gistre.example.test", "https://[::1", "x" * 3000,
        "http://127.0.0.1:5000", "http://[::1]:5000", "http://169.254.169.254", "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]",
    ],
)  # fmt: skip
def test_an_address_that_nothing_may_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(UnfitRegistry):
        wanted(url=url)


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "helm-hub"}, {"kind": ""}, {"kind": None},
        {"access_key": "a:b"}, {"access_key": "a\nb"}, {"access_key": "k" * 1025},
        {"access_secret": Secret("s" * 20_000)}, {"access_secret": Secret(MASK)}, {"proxy": Secret(MASK)},
        {"proxy": Secret("socks5://proxy.example.test")}, {"proxy": Secret("proxy.example.test:3128")},
        {"proxy": Secret("http://proxy.example.test/path")}, {"proxy": Secret("http://127.0.0.1:3128")},
        {"ca_certificate": "no certificate"},
        pytest.param({"ca_certificate": ONE.replace("M", "N", 1)}, id="a broken certificate"),
        pytest.param({"ca_certificate": ONE + "\u00fc"}, id="a certificate with a letter after it"),
        {"concurrency": 0}, {"concurrency": -1}, {"concurrency": 65},
    ],
    ids=str,
)  # fmt: skip
def test_an_unfit_field_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UnfitRegistry):
        wanted(**fields)


@pytest.mark.parametrize("check", [check_name, lambda name: check_name(f" {name} ")])
def test_a_name_is_trimmed(check: Callable[[str], str]) -> None:
    assert check("a name") == "a name"


@pytest.mark.parametrize("name", ["", "  ", "n" * 65, "a\nb"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UnfitRegistry):
        check_name(name)


def test_a_description_has_a_limit() -> None:
    assert check_description("d" * 1024)
    with pytest.raises(UnfitRegistry):
        check_description("d" * 1025)


def test_certificates_are_taken_several_at_once() -> None:
    assert wanted(ca_certificate=ONE + OTHER).ca_certificate == (ONE + OTHER).strip() + "\n"
    assert wanted(ca_certificate=" \n").ca_certificate == ""


def test_what_is_not_named_stays() -> None:
    assert changed() == STORED
    assert changed(access_key="other").access_key == "other"
    assert changed(access_secret=Secret(MASK), proxy=Secret(MASK)) == STORED


def test_what_is_empty_goes() -> None:
    after = changed(access_secret=Secret(""), proxy=Secret(""), ca_certificate="", access_key="")
    assert after == Access(kind=RegistryKind.HARBOR, url=URL)


WEAKER = {
    "another host": {"url": "https://evil.example.test"},
    "another scheme": {"url": "http://registry.example.test"},
    "another port": {"url": URL + ":8443"},
    "another kind": {"kind": "docker-hub"},
    "no verification": {"insecure": True},
    "another authority": {"ca_certificate": OTHER},
    "one authority more": {"ca_certificate": ONE + OTHER},
    "another proxy": {"proxy": Secret("http://evil.example.test:3128")},
}


@pytest.mark.parametrize("secret", [None, Secret(MASK)], ids=["not named", "masked"])
@pytest.mark.parametrize("fields", WEAKER.values(), ids=WEAKER)
def test_a_stored_secret_is_not_sent_elsewhere_or_less_safely(
    fields: dict[str, object], secret: Secret | None
) -> None:
    with pytest.raises(UnfitRegistry, match="give it in full"):
        changed(**fields, access_secret=secret)
    assert changed(**fields, access_secret=Secret("in full")).access_secret == Secret("in full")
    assert changed(replace(STORED, access_secret=None), **fields).access_secret is None


@pytest.mark.parametrize(
    "fields",
    [
        {"url": URL + "/base"}, {"url": URL + ":443"}, {"url": "https://REGISTRY.example.test"}, {"ca_certificate": ""},
        {"proxy": Secret("")}, {"insecure": False}, {"concurrency": 3}, {"access_key": "other"},
    ],
    ids=str,
)  # fmt: skip
def test_a_stored_secret_stays_where_the_registry_is_the_same(fields: dict[str, object]) -> None:
    assert changed(**fields).access_secret == STORED.access_secret


def test_what_was_not_verified_before_may_stay_so() -> None:
    before = replace(STORED, insecure=True)
    assert changed(before, insecure=True).access_secret == STORED.access_secret


def test_another_address_is_another_place() -> None:
    assert is_elsewhere(STORED, replace(STORED, url=URL + "/base"))
    assert is_elsewhere(STORED, replace(STORED, kind=RegistryKind.QUAY))
    assert not is_elsewhere(STORED, replace(STORED, access_key="other", insecure=True))
