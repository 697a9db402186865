"""The systemd unit that brings an instance up at boot."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from compose.conf.render import render
from compose.local.layout import Layout
from shared.errors import BreakwaterError, ConfigurationError

UNITS = Path("/etc/systemd/system")
BOOTED = Path("/run/systemd/system")
"""Is there where systemd runs (sd_booted(3)); in a container or a chroot units are laid for the next boot."""
_START_SECONDS = 300
_STOP_SECONDS = 120
_SYSTEMCTL_SECONDS = 60


class SystemdRefuses(BreakwaterError):
    """A call of systemctl failed; the sentence holds what it said."""

    code = "SYSTEMD_REFUSES"


def unit_text(layout: Layout, command: Path) -> str:
    """The unit: it starts the instance as it was started last, with the settings that its home remembers."""
    return render(
        "breakwater.service",
        {
            "home": _literal(layout.home),
            "user": pwd.getpwuid(layout.home.stat().st_uid).pw_name,
            "pid_file": _literal(layout.run / "supervisord.pid"),
            "environment": _word(f"BREAKWATER_HOME={layout.home}"),
            "command": _word(command),
            "start_seconds": _START_SECONDS,
            "stop_seconds": _STOP_SECONDS,
        },
    )


def install(layout: Layout, command: Path, *, units: Path = UNITS, booted: Path = BOOTED) -> Path:
    """Write the unit and enable it; returns its file. Raises ConfigurationError, SystemdRefuses."""
    _need_root()
    if not units.is_dir() or shutil.which("systemctl") is None:
        raise ConfigurationError("there is no systemd on this machine: nothing starts services at boot")
    file = _file(layout, units)
    file.write_text(unit_text(layout, command), encoding="utf-8")
    _reload(booted)
    _systemctl("enable", file.name)
    return file


def remove(layout: Layout, *, units: Path = UNITS, booted: Path = BOOTED) -> bool:
    """Disable the unit and remove it, whether or not it runs; says whether there was one. Raises as `install` does."""
    file = _file(layout, units)
    if not file.exists():
        return False
    _need_root()
    _systemctl("disable", file.name)
    file.unlink()
    _reload(booted)
    return True


def _file(layout: Layout, units: Path) -> Path:
    return units / f"breakwater-{layout.id}.service"


def _need_root() -> None:
    if os.geteuid() != 0:
        raise ConfigurationError("systemd's units are root's: put sudo before the command")


def _word(value: object) -> str:
    """One word of a command line or an assignment (systemd.syntax(7)). Raises ConfigurationError.

    What would have to be escaped in it besides specifiers, systemd does not take in the path of a program either.
    """
    text = str(value)
    if not text.isprintable() or set(text) & set("\"'\\"):
        raise ConfigurationError(f"systemd runs nothing with a quote or a backslash in its path: move {text!r}")
    return f'"{_literal(text)}"'


def _literal(value: object) -> str:
    """A value that is taken to the end of its line, as it is but for specifiers."""
    return str(value).replace("%", "%%")


def _reload(booted: Path) -> None:
    if booted.is_dir():
        _systemctl("daemon-reload")


def _systemctl(*arguments: str) -> None:
    """Raises SystemdRefuses."""
    command = ["systemctl", "--quiet", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SYSTEMCTL_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise SystemdRefuses(f"systemctl {' '.join(arguments)} takes more than {_SYSTEMCTL_SECONDS} seconds") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise SystemdRefuses(f"systemctl {' '.join(arguments)} failed: {said}")
