"""The unit that brings an instance up at boot: as systemd reads it, and enabled or refused."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from compose.cli.main import app
from compose.local import unit
from compose.local.layout import Layout
from compose.local.network import PORTS, settle_ports
from compose.local.options import CHECKOUT
from compose.local.unit import SystemdRefuses, unit_text
from shared.errors import ConfigurationError
from tests.documented import documented, run_commands
from tests.sentences import said, words_said

if TYPE_CHECKING:
    from pathlib import Path

ODD = "a clone, 100%h $HOME; é"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    home = tmp_path / "home"
    home.mkdir()
    return Layout(home)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    (tmp_path / "units").mkdir()
    return tmp_path / "units"


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the place of systemd's: it notes what it is told, and fails at the words in the file `fails`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    calls, fails = shlex.quote(f"{folder}/calls"), shlex.quote(f"{folder}/fails")
    folder.joinpath("systemctl").write_text(
        f'#!/bin/sh\necho "$*" >>{calls}\n'
        f'for word; do if grep -qsx -e "$word" {fails}; then echo "No such unit" >&2; exit 1; fi; done\n'
    )
    folder.joinpath("systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return folder


def calls(systemctl: Path) -> list[str]:
    return systemctl.joinpath("calls").read_text().splitlines()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
@pytest.mark.parametrize("name", ["plain", "w6 sp", ODD])
def test_systemd_takes_it_wherever_the_clone_lies(layout: Layout, tmp_path: Path, name: str) -> None:
    command = tmp_path / name / "breakwater"
    command.parent.mkdir()
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    file = tmp_path / "breakwater-test.service"
    file.write_text(unit_text(layout, command))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(file)],
        capture_output=True, text=True, check=False, timeout=60,
    )
    # of other units on this machine it may complain
    complaints = [line for line in done.stderr.splitlines() if file.name in line]
    assert (done.returncode, complaints) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze on this machine")
def test_systemd_takes_what_starts_containers_as_the_page_installs_it(units: Path, systemctl: Path) -> None:
    block = documented("docs/containers.md", "breakwater-containers.timer")
    folder = CHECKOUT / "compose" / "docker"
    run_commands(block.fitted({"/etc/systemd/system": str(units)}), dict(os.environ), folder=folder)
    run_commands(said("systemctl stop breakwater-containers.timer"), dict(os.environ))
    timer = "breakwater-containers.timer"
    assert calls(systemctl) == ["daemon-reload", f"enable --now {timer}", f"stop {timer}"]
    files = [units / f"breakwater-containers.{kind}" for kind in ("service", "timer")]
    assert f"WorkingDirectory={folder}\n" in files[0].read_text()
    # a shell and systemd read these in different ways
    assert not {"$", "%", "\\"} & {*files[0].read_text().replace(str(folder), "")}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, files)],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # it needs the engine's unit, which not every machine has
    complaints = [line for line in done.stderr.splitlines() if "breakwater" in line and "docker.service" not in line]
    assert complaints == []


def test_paths_are_what_they_are_and_no_specifiers(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "100%h")
    layout.home.mkdir()
    lines = unit_text(layout, tmp_path / ODD / "breakwater").splitlines()
    odd = ODD.replace("%", "%%")
    assert f'ExecStart="{tmp_path}/{odd}/breakwater" up --no-tour' in lines
    assert f'ExecStop="{tmp_path}/{odd}/breakwater" down' in lines
    assert f'Environment="BREAKWATER_HOME={tmp_path}/100%%h"' in lines
    assert f"PIDFile={str(layout.run).replace('%', '%%')}/supervisord.pid" in lines


@pytest.mark.parametrize("odd", ['"', "'", "\\", "\n"])
def test_path_that_systemd_does_not_take_is_refused(layout: Layout, units: Path, systemctl: Path, odd: str) -> None:
    with pytest.raises(ConfigurationError, match="systemd runs nothing with a quote or a backslash in its path"):
        unit.install(layout, units / f"a{odd}b" / "breakwater", units=units)
    assert not any(units.iterdir())
    assert not systemctl.joinpath("calls").exists()


@pytest.mark.parametrize("running", [True, False])
def test_it_is_enabled_and_removed(layout: Layout, units: Path, systemctl: Path, *, running: bool) -> None:
    booted = units if running else units / "absent"
    file = unit.install(layout, units / "breakwater", units=units, booted=booted)
    assert file.read_text() == unit_text(layout, units / "breakwater")
    assert unit.remove(layout, units=units, booted=booted)
    assert not file.exists()
    assert not unit.remove(layout, units=units, booted=booted)
    # there is nothing to tell where systemd does not run
    reload = ["--quiet daemon-reload"] if running else []
    assert calls(systemctl) == [
        *reload, f"--quiet enable {file.name}", f"--quiet disable {file.name}", *reload,
    ]  # fmt: skip


def test_documented_command_enables_it(
    layout: Layout, units: Path, systemctl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: units of the machine that runs this are not touched."""
    settle_ports(layout.home / PORTS)
    monkeypatch.setenv("BREAKWATER_HOME", str(layout.home))
    monkeypatch.setattr(unit, "install", partial(unit.install, units=units, booted=units))
    program, *words = shlex.split(documented("docs/install.md", "service install").fitted())
    assert program == "./breakwater"
    app(words, standalone_mode=False)
    (file,) = units.iterdir()
    assert calls(systemctl) == ["--quiet daemon-reload", f"--quiet enable {file.name}"]
    monkeypatch.setattr(unit, "remove", partial(unit.remove, units=units, booted=units))
    app(words_said("./breakwater service remove"), standalone_mode=False)
    assert not file.exists()
    assert calls(systemctl)[2:] == [f"--quiet disable {file.name}", "--quiet daemon-reload"]


@pytest.mark.parametrize("word", ["daemon-reload", "enable"])
def test_what_systemctl_refuses_is_told(layout: Layout, units: Path, systemctl: Path, word: str) -> None:
    systemctl.joinpath("fails").write_text(f"{word}\n")
    with pytest.raises(SystemdRefuses, match=f"^systemctl {word}.* failed: No such unit$"):
        unit.install(layout, units / "breakwater", units=units, booted=units)


def test_one_that_cannot_be_disabled_is_not_said_to_be_removed(layout: Layout, units: Path, systemctl: Path) -> None:
    file = unit.install(layout, units / "breakwater", units=units, booted=units)
    systemctl.joinpath("fails").write_text("disable\n")
    with pytest.raises(SystemdRefuses, match="disable"):
        unit.remove(layout, units=units, booted=units)
    assert file.exists()
