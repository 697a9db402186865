"""The systemd unit that brings an instance up at boot."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from compose.conf.render import render
from compose.local.layout import Layout
from shared.errors import ConfigurationError

UNITS = Path("/etc/systemd/system")
_START_SECONDS = 300
_STOP_SECONDS = 120
_SYSTEMCTL_SECONDS = 60


def unit_text(layout: Layout, command: Path) -> str:
    """The unit: it starts the instance as it was started last, with the settings that its home remembers."""
    return render(
        "breakwater.service",
        {
            "home": layout.home,
            "user": pwd.getpwuid(layout.home.stat().st_uid).pw_name,
            "pid_file": layout.run / "supervisord.pid",
            "command": command,
            "start_seconds": _START_SECONDS,
            "stop_seconds": _STOP_SECONDS,
        },
    )


def install(layout: Layout, command: Path, *, units: Path = UNITS) -> Path:
    """Write the unit and enable it; returns its file. Raises ConfigurationError."""
    _need_root()
    if not units.is_dir() or shutil.which("systemctl") is None:
        raise ConfigurationError("there is no systemd on this machine: nothing starts services at boot")
    file = _file(layout, units)
    file.write_text(unit_text(layout, command), encoding="utf-8")
    _systemctl("daemon-reload")
    _systemctl("enable", file.name)
    return file


def remove(layout: Layout, *, units: Path = UNITS) -> bool:
    """Disable the unit and remove it, whether or not it runs; says whether there was one."""
    file = _file(layout, units)
    if not file.exists():
        return False
    _need_root()
    _systemctl("disable", file.name)
    file.unlink()
    _systemctl("daemon-reload")
    return True


def _file(layout: Layout, units: Path) -> Path:
    return units / f"breakwater-{layout.id}.service"


def _need_root() -> None:
    if os.geteuid() != 0:
        raise ConfigurationError("systemd's units are root's: put sudo before the command")


def _systemctl(*arguments: str) -> None:
    """A machine whose systemd does not run (a container, a chroot) has it at the next boot."""
    subprocess.run(["systemctl", "--quiet", *arguments], capture_output=True, check=False, timeout=_SYSTEMCTL_SECONDS)
