"""The commands in README.md and docs/ are run as they are written, against an instance that is not on port 8080.

A block is run where its fence says so: `sh run`, `sh run-for-5s` (ended after that time), `sh tour` (needs a docker
engine), `python run`. What is not ended must end by itself with exit code 0.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.images import make_image

if TYPE_CHECKING:
    from tests.clients.docker import DockerEngine
    from tests.e2e.system import System

CHECKOUT: Final = Path(__file__).parents[2]
FENCE: Final = re.compile(r"^```(sh|python) (run|tour|run-for-(\d+)s)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block that is to be run."""

    page: str
    line: int
    language: str
    kind: str
    seconds: int
    text: str


def blocks() -> list[Block]:
    found = []
    for page in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8")
        found += [
            Block(
                page=str(page.relative_to(CHECKOUT)), line=text.count("\n", 0, match.start()) + 1, language=match[1],
                kind="for" if match[3] else match[2], seconds=int(match[3] or 0), text=match[4],
            )
            for match in FENCE.finditer(text)
        ]
    return found


def here(system: System, text: str) -> str:
    """The block with this instance's address and home in place of the documented ones."""
    for documented in ("127.0.0.1:8080", "localhost:8080"):
        text = text.replace(documented, system.host)
    if not Path(sys.prefix, "installed").exists():  # not run by ./breakwater: it would look for its own environment
        text = text.replace("./breakwater ", f"{sys.executable} -P -m compose.cli ")
    return text.replace("var/secrets", str(system.settings.secrets))


def run(system: System, block: Block, **environment: str) -> None:
    words = ["sh", "-euc", here(system, block.text)] if block.language == "sh" else [
        sys.executable, "-c", here(system, block.text),
    ]
    process = subprocess.Popen(
        words, cwd=CHECKOUT, env={**os.environ, **system.instance.environment, **environment}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=block.seconds or 120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        assert block.kind == "for", f"{block.page}:{block.line} did not end:\n{said}"
        return
    assert block.kind == "for" or process.returncode == 0, f"{block.page}:{block.line}:\n{said}"


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.kind != "tour"], ids=lambda block: f"{block.page}:{block.line}",
)
def test_a_documented_command_runs_as_written(system: System, block: Block) -> None:
    run(system, block)


def test_the_tour_in_the_readme_runs_as_written(system: System, engine: DockerEngine, tmp_path: Path) -> None:
    tours = [block for block in blocks() if block.kind == "tour"]
    assert tours
    docker = engine.client(tmp_path / "config")
    assert docker.import_image(make_image("readme").layers[0].content, "hello:1").ok
    for block in tours:
        run(system, block, DOCKER_HOST=engine.host, DOCKER_CONFIG=str(tmp_path / "config"))
