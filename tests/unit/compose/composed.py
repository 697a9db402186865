"""What compose makes of its files where `.env` names them as the documentation says."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from compose.local.options import CHECKOUT
from tests.documented import Block, documented, run_commands

if TYPE_CHECKING:
    from pathlib import Path

needs_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")

FORMS: Final = (
    documented("docs/containers.md", "echo COMPOSE_FILE=compose.yaml >>.env"),
    documented("docs/containers.md", "sh base.sh"),
)
"""The form with official images, and that from packages alone."""
SCALED: Final = (
    documented("docs/scaling.md", ":compose.scale.yaml/"), documented("docs/scaling.md", "compose.scale.offline.yaml")
)
"""What each of the two adds for two of each part."""
ADDED: Final = (
    documented("docs/containers.md", "compose.s3.yaml"),
    documented("docs/containers.md", "compose.database.yaml"),
    documented("docs/containers.md", "compose.broker.yaml"),
    documented("docs/containers.md", "compose.redirect.yaml"),
    documented("docs/traces.md", "compose.traces.yaml"),
)
"""What adds a file to any form."""
STARTED: Final = "compose up -d"


def read(folder: Path, *commands: Block) -> dict[str, Any]:
    """What compose reads after these; in the place of the engine and of what makes the base is something that notes."""
    for file in CHECKOUT.joinpath("compose", "docker").glob("compose*.yaml"):
        shutil.copy(file, folder)
    programs = folder / "programs"
    programs.mkdir()
    programs.joinpath("docker").write_text(f'#!/bin/sh\necho "$*" >>{folder}/told\n')
    programs.joinpath("docker").chmod(0o755)
    folder.joinpath("base.sh").write_text('#!/bin/sh\necho "$*" >base\n')
    environment = {
        name: value for name, value in os.environ.items()
        if not name.startswith(("BREAKWATER_", "PYTHON", "COMPOSE_"))
    }
    for block in commands:
        run_commands(
            block.fitted(), environment | {"PATH": f"{programs}:{environment['PATH']}"}, folder=folder
        )
    told = folder.joinpath("told").read_text().splitlines() if folder.joinpath("told").exists() else []
    assert told == [STARTED for block in commands if f"docker {STARTED}\n" in block.text]
    done = subprocess.run(
        ["docker-compose", "config"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found
