"""What lies in the folders of the host that an operator names: containers do not go on without it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from compose.docker import prepare as module
from compose.docker.prepare import prepare
from compose.local.certificate import make_certificate
from shared.errors import ConfigurationError
from tests.unit.compose.test_containers import SERVICE

if TYPE_CHECKING:
    from pathlib import Path

PLACES = {
    "BREAKWATER_TLS_FOLDER": ("GIVEN", "/given", "tls.crt"),
    "BREAKWATER_DATABASE_CA_FOLDER": ("GIVEN_FOR_DATABASE", "/given-for-database", "ca.crt"),
    "BREAKWATER_AMQP_CA_FOLDER": ("GIVEN_FOR_BROKER", "/given-for-broker", "ca.crt"),
}
NAMED = "/srv/named"


class GoesOnError(Exception):
    """Nothing was refused."""


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Holds the places where folders are mounted, all empty."""

    def go_on(**_: object) -> None:
        raise GoesOnError

    monkeypatch.setattr(module, "container_site", go_on)
    for variable, (constant, place, _) in PLACES.items():
        monkeypatch.delenv(variable, raising=False)
        folder = tmp_path / place.lstrip("/")
        folder.mkdir()
        monkeypatch.setattr(module, constant, folder)
    return tmp_path


@pytest.mark.parametrize("variable", PLACES)
def test_folder_is_mounted_and_told_to_who_prepares(variable: str) -> None:
    _, place, _ = PLACES[variable]
    assert SERVICE["prepare"]["environment"][variable] == f"${{{variable}:-}}"
    (volume,) = [each for each in SERVICE["prepare"]["volumes"] if each.startswith(f"${{{variable}:-no-")]
    assert volume.endswith(f"}}:{place}:ro")


def test_where_no_folder_is_named_nothing_is_given(mounted: Path) -> None:
    assert mounted
    with pytest.raises(GoesOnError):
        prepare()


@pytest.mark.parametrize("variable", PLACES)
def test_folder_without_what_it_is_named_for_is_refused(
    mounted: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """One that is not there is made by the engine, and a link from one that is leads nowhere inside."""
    _, place, file = PLACES[variable]
    monkeypatch.setenv(variable, NAMED)
    said = f"^{variable} is not valid: there is no {file} in {NAMED}, or it is a link that leads out of it$"
    with pytest.raises(ConfigurationError, match=said):
        prepare()
    (mounted / place.lstrip("/") / file).symlink_to("../../archive/fullchain1.pem")
    with pytest.raises(ConfigurationError, match=said):
        prepare()


def test_certificate_without_its_key_is_refused(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BREAKWATER_TLS_FOLDER", NAMED)
    (mounted / "given" / "tls.crt").touch()
    with pytest.raises(ConfigurationError, match=f"there is no tls.key in {NAMED}"):
        prepare()


def test_key_of_another_certificate_is_refused_by_the_names_that_it_has_there(
    mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKWATER_TLS_FOLDER", NAMED)
    chain, _ = make_certificate(mounted / "one", ["registry.test"], datetime.now(UTC))
    _, key = make_certificate(mounted / "two", ["registry.test"], datetime.now(UTC))
    for file, name in ((chain, "tls.crt"), (key, "tls.key")):
        (mounted / "given" / name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigurationError, match=f"^tls.crt and tls.key in {NAMED} cannot be used together: the key"):
        prepare()
