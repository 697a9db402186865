"""What compose makes of its files where `.env` names them as the documentation says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

needs_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")

PAGES = {name: CHECKOUT.joinpath("docs", f"{name}.md").read_text() for name in ("containers", "scaling", "traces")}
FORMS = re.findall(r"^echo COMPOSE_FILE=.*$", PAGES["containers"], re.MULTILINE)
"""The command that begins a form: that with official images, and that from packages alone."""


def added(page: str) -> list[str]:
    """The commands of a page that add a file to those that `.env` names."""
    return re.findall(r"^sed -i .*COMPOSE_FILE.* \.env$", PAGES[page], re.MULTILINE)


def read(folder: Path, *commands: str) -> dict[str, Any]:
    """What compose reads after these commands, each a line of the shell; nothing is started."""
    for file in CHECKOUT.joinpath("compose", "docker").glob("compose*.yaml"):
        shutil.copy(file, folder)
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("BREAKWATER_", "PYTHON", "COMPOSE_"))
    }
    for command in commands:
        subprocess.run(["sh", "-ec", command], cwd=folder, env=environment, check=True)
    done = subprocess.run(
        ["docker-compose", "config"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found
