from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from compose.local.folders import refuse_unusable
from compose.local.layout import LONGEST_NAME, LONGEST_SOCKET, Layout, refuse_closed_folders
from compose.local.options import Options
from shared.errors import ConfigurationError


def test_run_folder_lies_in_the_home_where_its_sockets_fit() -> None:
    assert Layout(Path("/srv/breakwater")).run == Path("/srv/breakwater/run")


def test_run_folder_of_a_long_home_is_short_and_its_own() -> None:
    one, other = Layout(Path(f"/srv/{'x' * 90}")), Layout(Path(f"/srv/{'y' * 90}"))
    assert len(str(one.run)) + LONGEST_NAME <= LONGEST_SOCKET
    assert one.run != other.run
    assert one.run == Layout(one.home).run


def test_folder_that_others_may_not_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "home").mkdir()
    with pytest.raises(ConfigurationError, match=f"may not enter {tmp_path}"):
        refuse_closed_folders(closed / "home")


@pytest.mark.parametrize("name", ["with space", "semi;colon", "quo'te", "per%cent", "new\nline", "dollar$"])
def test_home_whose_name_could_break_a_configuration_is_refused(name: str) -> None:
    home = Path("/srv") / name
    with pytest.raises(ConfigurationError, match="cannot be used: its name may hold letters"):
        refuse_unusable(Layout(home), Options(home=home), separate=False)


def test_instance_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    layout = Layout(tmp_path)
    layout.instance_id.write_text("x")
    os.chown(layout.instance_id, 65534, 65534)
    with pytest.raises(ConfigurationError, match="run this as that user"):
        refuse_unusable(layout, Options(home=tmp_path), separate=False)


def test_disk_without_room_for_a_new_instance_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, usage = Layout(tmp_path / "home"), shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=7 * 2**20))
    with pytest.raises(ConfigurationError, match="7 MiB are free there, and a new instance needs 128"):
        refuse_unusable(layout, Options(home=layout.home), separate=False)
    layout.home.mkdir()
    layout.instance_id.write_text("x")
    refuse_unusable(layout, Options(home=layout.home), separate=False)


@pytest.mark.parametrize("password", ["x", "alllowercase1", "Aa1\ttabulator"])
def test_first_password_keeps_the_rule_of_all_passwords(tmp_path: Path, password: str) -> None:
    options = Options(home=tmp_path, admin_password=password)
    with pytest.raises(ConfigurationError, match="BREAKWATER_ADMIN_PASSWORD is not valid: the password must have"):
        refuse_unusable(Layout(tmp_path), options, separate=False)


def test_password_variable_says_nothing_any_more_once_there_is_one(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.secrets.mkdir()
    layout.admin_password.write_text("Kept12345")
    refuse_unusable(layout, Options(home=tmp_path, admin_password="x"), separate=False)


def test_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    options = Options(home=tmp_path, tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="BREAKWATER_TLS_CERT and BREAKWATER_TLS_KEY cannot be used together"):
        refuse_unusable(Layout(tmp_path), options, separate=False)


def test_certificate_that_is_missing_is_refused(tmp_path: Path) -> None:
    options = Options(home=tmp_path, tls_cert=tmp_path / "no.pem", tls_key=tmp_path / "no.key")
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        refuse_unusable(Layout(tmp_path), options, separate=False)
