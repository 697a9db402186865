import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from services.token import keys
from services.token.certificates import issue
from services.token.errors import SigningKeysUnusable
from services.token.keys import KeyRing, ensure, read_current, read_ring, renew, rotate

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "token" / "signing", tmp_path / "registry" / "bundle.pem"


def _published(bundle: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(bundle.read_bytes())


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_first_call_makes_a_root_a_current_and_a_next_key(places: tuple[Path, Path]) -> None:
    ring = ensure(*places, NOW)
    assert ring.previous is None
    assert ring.current.kid != ring.next.kid
    assert _published(places[1]) == [ring.root, ring.current.certificate, ring.next.certificate]


def test_a_second_call_changes_nothing(places: tuple[Path, Path]) -> None:
    ensure(*places, NOW)
    before = _content(places[0]), places[1].stat().st_mtime_ns
    ensure(*places, NOW + timedelta(days=400))
    assert (_content(places[0]), places[1].stat().st_mtime_ns) == before


def test_rotation_turns_next_into_current_and_current_into_previous(places: tuple[Path, Path]) -> None:
    before = ensure(*places, NOW)
    done = rotate(*places, NOW)
    after = read_ring(places[0])
    assert after.previous is not None
    assert (after.previous.kid, after.current.kid) == (before.current.kid, before.next.kid)
    assert (done.previous, done.current) == (before.current.kid, before.next.kid)
    assert len(_published(places[1])) == 4


def test_every_later_signer_is_issued_by_the_root_that_the_registry_read_first(places: tuple[Path, Path]) -> None:
    first = ensure(*places, NOW)
    for _ in range(5):
        rotate(*places, NOW)
    ring = read_ring(places[0])
    assert ring.root == first.root
    for key in ring.signers:
        key.certificate.verify_directly_issued_by(first.root)


def test_the_root_may_issue_and_a_signer_may_not(places: tuple[Path, Path]) -> None:
    ring = ensure(*places, NOW)
    for certificate, may_issue in ((ring.root, True), (ring.current.certificate, False)):
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is may_issue


def test_a_certificate_is_good_before_now_and_for_years(places: tuple[Path, Path]) -> None:
    ring = ensure(*places, NOW)
    for certificate in (ring.root, ring.current.certificate):
        assert certificate.not_valid_before_utc <= NOW - timedelta(hours=12)
        assert certificate.not_valid_after_utc > NOW + timedelta(days=10 * 365)


def test_keys_are_readable_by_their_owner_alone_and_the_bundle_by_the_registry(places: tuple[Path, Path]) -> None:
    ensure(*places, NOW)
    assert stat.S_IMODE(places[0].stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in places[0].glob("*.key")} == {0o600}
    assert stat.S_IMODE(places[1].stat().st_mode) == 0o644
    assert b"PRIVATE" not in places[1].read_bytes()


def test_old_keys_are_deleted(places: tuple[Path, Path]) -> None:
    ensure(*places, NOW)
    for _ in range(4):
        rotate(*places, NOW)
    assert len(list(places[0].glob("*.key"))) == 4


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(8))
@pytest.mark.parametrize("change", [ensure, rotate, renew])
def test_a_crash_at_any_write_leaves_what_the_next_call_completes(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, step: int, change: Callable[..., object]
) -> None:
    before = None if change is ensure else ensure(*places, NOW)
    original, calls = keys._write, iter(range(100))

    def crashing(path: Path, content: bytes, *, mode: int, like: Path | None = None) -> None:
        if next(calls) == step:
            path.with_name(f".{path.name}.new").write_bytes(content[: len(content) // 2])
            raise Crash
        original(path, content, mode=mode, like=like)

    with monkeypatch.context() as patch:
        patch.setattr(keys, "_write", crashing)
        try:
            change(*places, NOW)
        except Crash:
            published = _published(places[1]) if places[1].exists() else []
            if change is rotate:
                assert read_current(places[0]).certificate in published
    ring = ensure(*places, NOW)
    assert _published(places[1]) == [ring.root, *(key.certificate for key in ring.signers)]
    assert len(list(places[0].iterdir())) == len(ring.signers) + 3
    if before and change is rotate:
        assert ring.root == before.root
        assert ring.current.kid in {before.current.kid, before.next.kid}


def test_a_renewal_leaves_nothing_of_the_old_root(places: tuple[Path, Path]) -> None:
    before = ensure(*places, NOW)
    rotate(*places, NOW)
    done = renew(*places, NOW)
    ring = read_ring(places[0])
    assert ring.root != before.root
    assert (ring.previous, ring.current.kid) == (None, done.current)
    _consistent(ring, places[1])
    for key in ring.signers:
        key.certificate.verify_directly_issued_by(ring.root)
    assert len(list(places[0].glob("*.key"))) == 3
    assert ensure(*places, NOW).root == ring.root


def test_two_rotations_at_once_are_two_rotations(places: tuple[Path, Path]) -> None:
    ensure(*places, NOW)
    with ThreadPoolExecutor(4) as threads:
        turned = list(threads.map(lambda _: rotate(*places, NOW).current, range(4)))
    assert len(set(turned)) == 4
    _consistent(read_ring(places[0]), places[1])


def _consistent(ring: KeyRing, bundle: Path) -> None:
    assert _published(bundle) == [ring.root, *(key.certificate for key in ring.signers)]


@pytest.mark.parametrize("broken", ["{", "[]", json.dumps({"current": "gone", "next": "gone"}), "{}"])
def test_a_state_that_cannot_be_read_is_one_sentence_and_no_new_key(places: tuple[Path, Path], broken: str) -> None:
    ensure(*places, NOW)
    (places[0] / keys.STATE).write_text(broken)
    with pytest.raises(SigningKeysUnusable, match=str(places[0])):
        ensure(*places, NOW)


def test_the_key_id_has_libtrusts_form() -> None:
    certificate = issue(None, NOW)
    assert isinstance(certificate.private.curve, ec.SECP256R1)
    groups = certificate.kid.split(":")
    assert [len(group) for group in groups] == [4] * 12
