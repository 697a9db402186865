"""The doctor on an instance that was never started: folders, secrets, certificates and keys with a fault each."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from threading import Event
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from compose.local.accounts import Account, Accounts, Ownership
from compose.local.doctor import certificates, home, inner, parts
from compose.local.doctor.examination import examine
from compose.local.doctor.finding import broken, warning
from compose.local.doctor.patient import Check, Group, Patient
from compose.local.layout import Layout
from services.token import keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from compose.local.doctor.finding import Finding
    from compose.local.site import Site

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINE = Accounts(separate=False, ids=dict.fromkeys(Account, (os.geteuid(), os.getegid())))


def whats(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{each.severity}: {each.what}" for each in findings)


def patient(make_site: Callable[..., Site], **options: object) -> Patient:
    return Patient(site=make_site(**options), now=NOW)


# files and folders


@pytest.mark.parametrize(
    ("mode", "fault"), [(0o600, None), (0o644, "has mode 0644, not 0600"), (0o000, "has mode 0000, not 0600")]
)
def test_file_of_another_mode_is_misplaced(tmp_path: Path, mode: int, fault: str | None) -> None:
    file = tmp_path / "secret"
    file.touch()
    file.chmod(mode)
    assert home.misplaced(Ownership(path=file, account=Account.PARTS, mode=0o600), MINE) == fault


def test_missing_folder_is_misplaced(tmp_path: Path) -> None:
    wanted = Ownership(path=tmp_path / "none", account=Account.PARTS, mode=0o700)
    assert home.misplaced(wanted, MINE) == "is missing"


def test_file_of_another_user_is_misplaced_where_users_are_separate(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    others = Accounts(separate=True, ids=dict.fromkeys(Account, (os.geteuid() + 1, os.getegid())))
    fault = home.misplaced(Ownership(path=tmp_path, account=Account.DATA, mode=0o700), others)
    assert fault is not None
    assert "belongs to" in fault


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(home, "known_accounts", lambda: MINE)
    folder = tmp_path / "secrets" / "core"
    folder.mkdir(parents=True)
    (tmp_path / "secrets").chmod(0o711)
    folder.chmod(0o700)
    file = folder / "database-password"
    file.write_text("hunter2")
    file.chmod(0o600)
    return file


def test_secrets_as_they_should_be_are_well(make_site: Callable[..., Site], secret: Path) -> None:
    assert secret.exists()
    assert whats(home.secrets(patient(make_site))) == ""


def test_secret_that_others_may_read_is_broken_and_not_told(make_site: Callable[..., Site], secret: Path) -> None:
    secret.chmod(0o644)
    said = whats(home.secrets(patient(make_site)))
    assert "database-password has mode 0644, not 0600; somebody else may have read it" in said
    assert "hunter2" not in said


def test_very_many_faults_of_secrets_are_summed_up(make_site: Callable[..., Site], secret: Path) -> None:
    for number in range(9):
        secret.with_name(f"s{number}").touch(mode=0o644)
        secret.with_name(f"s{number}").chmod(0o644)
    found = list(home.secrets(patient(make_site)))
    assert len(found) == 6
    assert "4 more secrets" in found[-1].what


def test_missing_folders_are_broken(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "known_accounts", lambda: MINE)
    said = whats(home.folders(patient(make_site)))
    assert "registry is missing" in said
    assert "broken" in said


def test_missing_system_users_are_broken(make_site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Accounts:
        raise KeyError("breakwater")

    monkeypatch.setattr(home, "known_accounts", none)
    assert "system users" in whats(home.folders(patient(make_site)))


def test_home_without_an_id_and_with_an_open_restore_is_broken(make_site: Callable[..., Site], tmp_path: Path) -> None:
    assert "first start did not end" in whats(home.home_owner(patient(make_site)))
    (tmp_path / "instance-id").write_text("x")
    assert whats(home.home_owner(patient(make_site))) == ""
    flag = Layout(tmp_path).restoring_flag
    flag.parent.mkdir()
    flag.touch()
    assert "a restore" in whats(home.home_owner(patient(make_site)))


def test_home_of_another_user_is_broken(
    make_site: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instance-id").write_text("x")
    monkeypatch.setattr(os, "geteuid", lambda: (tmp_path / "instance-id").stat().st_uid + 1)
    assert f"the instance in {tmp_path} is user" in whats(home.home_owner(patient(make_site)))


def test_port_of_another_program_is_broken_and_the_program_is_named(make_site: Callable[..., Site]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        (found,) = home.port(patient(make_site, port=number))
    assert f"(pid {os.getpid()})" in found.what
    assert "BREAKWATER_PORT" in found.remedy
    assert whats(home.port(patient(make_site, port=number))) == ""


def test_stopped_instance_is_broken(make_site: Callable[..., Site]) -> None:
    assert "is stopped" in whats(parts.stopped(patient(make_site)))


# certificates and keys


def certificate(
    key: ec.EllipticCurvePrivateKey, *, begins: datetime = NOW - DAY, days: int = 365, names: tuple[str, ...] = ()
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "r.example")])
    ends = begins + days * DAY
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begins).not_valid_after(ends)
    if names:
        numeric = [x509.IPAddress(ip_address(each)) for each in names if each[0].isdigit()]
        builder = builder.add_extension(
            x509.SubjectAlternativeName([*(x509.DNSName(each) for each in names if not each[0].isdigit()), *numeric]),
            critical=False,
        )
    return builder.sign(key, hashes.SHA256())


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("begins", "days", "words"),
    [
        (NOW - DAY, 365, ""),
        (NOW - 40 * DAY, 39, "broken: clients refuse the TLS certificate: it ended on 2026-04-30"),
        (NOW + DAY, 90, "broken: clients refuse the TLS certificate: it begins on 2026-05-02"),
        (NOW - DAY, 30, "warning: the TLS certificate ends on 2026-05-30 12:00 UTC, in 29 days"),
    ],
)
def test_certificate_out_of_its_time_or_near_its_end_is_told(
    key: ec.EllipticCurvePrivateKey, begins: datetime, days: int, words: str
) -> None:
    said = whats(certificates.judge_served(certificate(key, begins=begins, days=days), None, NOW))
    assert said.startswith(words)
    assert bool(said) is bool(words)


@pytest.mark.parametrize(
    ("names", "host", "fits"),
    [
        (("r.example",), "r.example", True),
        (("r.example",), "R.Example", True),
        (("*.example",), "r.example", True),
        (("*.example",), "a.r.example", False),
        (("*.example",), "example", False),
        (("other.example",), "r.example", False),
        ((), "r.example", False),
        (("10.0.0.7",), "10.0.0.7", True),
        (("10.0.0.7",), "10.0.0.8", False),
        (("r.example",), "10.0.0.7", False),
        (("2001:db8::7",), "[2001:db8::7]", True),
    ],
)
def test_certificate_has_to_name_the_host(
    key: ec.EllipticCurvePrivateKey, names: tuple[str, ...], host: str, *, fits: bool
) -> None:
    said = whats(certificates.judge_served(certificate(key, names=names), host, NOW))
    assert ("it is not for" in said) is not fits


def write(
    folder: Path, name: str, key: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePrivateKey
) -> dict[str, Path]:
    made = folder / f"{name}.crt", folder / f"{name}.key"
    made[0].write_bytes(certificate(key).public_bytes(Encoding.PEM))
    made[1].write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {"tls_cert": made[0], "tls_key": made[1]}


def test_key_of_another_certificate_is_broken(
    make_site: Callable[..., Site], tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    fits, other = write(tmp_path, "a", key, key), write(tmp_path, "b", key, ec.generate_private_key(ec.SECP256R1()))
    assert whats(certificates.tls(patient(make_site, **fits))) == ""
    assert "the key is not this certificate's" in whats(certificates.tls(patient(make_site, **other)))


def test_newer_certificate_that_is_not_served_yet_is_warned_of(
    make_site: Callable[..., Site], tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    given = write(tmp_path, "a", key, key)
    site = make_site(**given)
    site.layout.public_certificate.parent.mkdir(parents=True)
    site.layout.public_certificate.write_bytes(certificate(key, days=300).public_bytes(Encoding.PEM))
    assert "is not the one that clients are shown" in whats(certificates.tls(patient(make_site, **given)))


def test_missing_made_certificate_is_broken(make_site: Callable[..., Site]) -> None:
    said = whats(certificates.tls(patient(make_site, tls_names="r.example")))
    assert "there is no certificate in" in said


@pytest.fixture
def signing(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets" / "token" / "signing"
    keys.ensure(folder, tmp_path / "secrets" / "registry" / "bundle.pem", NOW)
    return folder


def test_signing_keys_as_made_are_well(make_site: Callable[..., Site], signing: Path) -> None:
    assert signing.exists()
    assert whats(certificates.signing_keys(patient(make_site))) == ""


def test_missing_signing_key_is_broken(make_site: Callable[..., Site], signing: Path) -> None:
    for file in signing.glob("*.key"):
        file.unlink()
    assert "no token can be signed" in whats(certificates.signing_keys(patient(make_site)))


@pytest.mark.parametrize(
    ("later", "words"),
    [(20 * 366 * DAY, "broken: the certificate of the root ended"), (20 * 365 * DAY - 9 * DAY, "warning")],
)
def test_signing_certificate_at_its_end_is_told(
    make_site: Callable[..., Site], signing: Path, later: timedelta, words: str
) -> None:
    assert signing.exists()
    aged = Patient(site=make_site(), now=NOW + later)
    assert words in whats(certificates.signing_keys(aged))


def test_bundle_without_the_signers_is_broken(make_site: Callable[..., Site], signing: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "secrets" / "registry" / "bundle.pem"
    keys.ensure(tmp_path / "another", bundle, NOW)
    assert signing.exists()
    assert "does not hold the certificates" in whats(certificates.signing_keys(patient(make_site)))
    bundle.write_text("no certificate")
    assert "does not hold the certificates" in whats(certificates.signing_keys(patient(make_site)))


@pytest.mark.parametrize("text", ["", "notifications: {endpoints: []}", "a: [", "notifications: 5"])
def test_registry_configuration_without_an_intake_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "registry.yml"
    file.write_text(text)
    with pytest.raises(ValueError, match="has no notification endpoint"):
        inner.endpoint(file)


# the examination


def check(name: str, ask: Callable[[Patient], Iterable[Finding]]) -> Check:
    return Check(name=name, looks_for="a fault", remedy="mend it", ask=ask)


def nothing(_patient: Patient) -> Iterator[Finding]:
    return iter(())


def test_warnings_leave_an_instance_well_and_what_is_broken_does_not(make_site: Callable[..., Site]) -> None:
    warned = Group(needs=None, checks=(check("a", lambda _: [warning("w", "r")]),))
    failed = Group(needs=None, checks=(check("b", lambda _: [broken("b", "r")]),))
    assert examine(patient(make_site), [warned]).well
    report = examine(patient(make_site), [warned, failed])
    assert not report.well
    assert [check.name for check, _finding in report.findings] == ["a", "b"]


def test_check_that_fails_keeps_no_other_from_being_asked_and_is_not_quoted(make_site: Callable[..., Site]) -> None:
    def fails(_patient: Patient) -> Iterator[Finding]:
        raise RuntimeError("password=hunter2")

    report = examine(patient(make_site), [Group(needs=None, checks=(check("a", fails), check("b", nothing)))])
    assert report.asked == 2
    said = whats(finding for _check, finding in report.findings)
    assert "a cannot be looked at: RuntimeError" in said
    assert "hunter2" not in said


def test_check_that_never_answers_is_told_and_waited_for_no_longer(make_site: Callable[..., Site]) -> None:
    released = Event()

    def hangs(_patient: Patient) -> Iterator[Finding]:
        released.wait(30)
        return iter(())

    groups = [Group(needs=None, checks=(check("a", hangs), check("b", nothing)))]
    report = examine(patient(make_site), groups, seconds=0.2)
    released.set()
    assert report.seconds < 5
    assert [finding.what for _check, finding in report.findings] == ["a gives no answer in time"]
    assert not report.well


def test_group_of_a_part_that_does_not_run_is_not_asked(make_site: Callable[..., Site]) -> None:
    groups = [Group(needs="postgres", checks=(check("a", lambda _: [broken("b", "r")]),))]
    assert examine(patient(make_site), groups).asked == 0
