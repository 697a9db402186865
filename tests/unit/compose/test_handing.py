"""What each part is handed of the secrets, in what order, and what is taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from compose.docker import handing
from compose.docker.handing import NEEDS, READ_KEYS, gather, hand_out
from compose.local.accounts import Account, Accounts
from compose.local.credentials import prepare_secrets
from compose.local.layout import Layout
from services.audit.key import KEY_FILE, ensure_chain_key
from services.token import keys

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USERS = Accounts(separate=False, ids=dict.fromkeys(Account, (0, 0)))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "home")
    layout.secrets.mkdir(parents=True)
    prepare_secrets(layout, USERS, admin_password=None)
    keys.ensure(signing(layout.secrets), bundle(layout.secrets), NOW)
    return layout


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    made = tmp_path / "handed-out"
    made.mkdir()
    return made


def signing(secrets: Path) -> Path:
    return secrets / "token" / "signing"


def bundle(secrets: Path) -> Path:
    return secrets / "registry" / "bundle.pem"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_part_is_given_what_it_needs_and_nothing_else(layout: Layout, volumes: Path) -> None:
    hand_out(layout, USERS, volumes=volumes)
    assert names(volumes) == {*NEEDS}
    for part, needed in NEEDS.items():
        given = {path.relative_to(volumes / part).parts[0] for path in (volumes / part).rglob("*")}
        there = {each.partition("/")[0] for each in needed if (layout.secrets / each).exists()}
        assert given == there, part


def test_key_of_the_proxy_is_taken_back_with_its_certificate(layout: Layout, volumes: Path) -> None:
    layout.certificate.parent.mkdir()
    layout.certificate.write_text("chain and key")
    hand_out(layout, USERS, volumes=volumes)
    assert (volumes / "proxy" / "proxy" / "tls.pem").read_text() == "chain and key"
    layout.certificate.unlink()
    layout.certificate.parent.rmdir()
    hand_out(layout, USERS, volumes=volumes)
    assert names(volumes / "proxy") == set()


def test_rotated_keys_reach_those_that_read_them_and_nobody_keeps_what_no_longer_signs(
    layout: Layout, volumes: Path
) -> None:
    hand_out(layout, USERS, volumes=volumes)
    for days in (1, 2, 3):
        keys.rotate(signing(layout.secrets), bundle(layout.secrets), NOW + timedelta(days=days))
        hand_out(layout, USERS, READ_KEYS, volumes=volumes)
    assert names(signing(volumes / "token")) == names(signing(layout.secrets)) - {"root.key"}
    assert keys.read_ring(signing(volumes / "token")).bundle == bundle(layout.secrets).read_bytes()
    for part in ("core", "registry"):
        assert bundle(volumes / part).read_bytes() == bundle(layout.secrets).read_bytes()


def test_at_no_moment_is_a_key_named_that_is_not_there_or_whose_certificate_is_not_known(
    layout: Layout, volumes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a theft both are new: the current key, and the root."""
    hand_out(layout, USERS, volumes=volumes)
    keys.renew(signing(layout.secrets), bundle(layout.secrets), NOW + timedelta(days=1))
    given, copy = list[str](), handing._copy

    def watched(source: Path, target: Path, users: Accounts) -> None:
        copy(source, target, users)
        given.append(str(target.relative_to(volumes)))
        # whatever was given last, the token mount finds the key that signs
        keys.read_current(signing(volumes / "token"))

    monkeypatch.setattr(handing, "_copy", watched)
    hand_out(layout, USERS, READ_KEYS, volumes=volumes)
    last = given.index("token/token/signing/state.json")
    assert {"core/registry/bundle.pem", "registry/registry/bundle.pem"} <= {*given[:last]}
    assert all("signing" not in each for each in given[last + 1 :])


def test_key_that_the_audit_part_has_made_is_taken_in_once_and_handed_to_it_again(
    layout: Layout, volumes: Path
) -> None:
    gather(layout, USERS, volumes=volumes)
    assert not (layout.secrets / "audit" / KEY_FILE).exists()
    hand_out(layout, USERS, volumes=volumes)
    assert ensure_chain_key(volumes / "audit" / "audit")
    made = (volumes / "audit" / "audit" / KEY_FILE).read_text()
    hand_out(layout, USERS, volumes=volumes)
    assert (volumes / "audit" / "audit" / KEY_FILE).read_text() == made
    gather(layout, USERS, volumes=volumes)
    kept = layout.secrets / "audit" / KEY_FILE
    assert (kept.read_text(), kept.stat().st_mode & 0o777) == (made, 0o600)
    # of a restored instance the kept one is what counts
    kept.write_text("restored")
    gather(layout, USERS, volumes=volumes)
    assert kept.read_text() == "restored"
    hand_out(layout, USERS, volumes=volumes)
    assert (volumes / "audit" / "audit" / KEY_FILE).read_text() == "restored"
