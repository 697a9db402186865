"""What the machine refuses is told as what we refuse: in one sentence, with exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


def test_what_the_machine_refuses_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "compose.cli", "down"],
        env=os.environ | {"BREAKWATER_HOME": str(tmp_path), "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, f"this machine refuses what is needed: Is a directory ({lock})\n")
