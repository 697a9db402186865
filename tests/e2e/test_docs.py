"""The commands in README.md and docs/ are run as they are written, against an instance that is not on port 8080.

A block is run where its fence says so: `sh run`, `sh run-for-5s` (ended after that time), `sh tour` (needs a docker
engine). What is not ended must end by itself with exit code 0.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.clients.images import make_image
from tests.documented import Block, blocks, documented, run_commands, run_words, with_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.docker import DockerEngine
    from tests.e2e.system import System


def here(system: System, text: str) -> str:
    """The block with this instance's address and home in place of the documented ones."""
    for address in ("127.0.0.1:8080", "localhost:8080"):
        text = text.replace(address, system.host)
    return with_command(text).replace("var/secrets", str(system.settings.secrets))


def run(system: System, block: Block, **environment: str) -> None:
    ended_after = re.fullmatch(r"run-for-(\d+)s", block.word)
    ended = run_words(
        ["sh", "-euc", here(system, block.text)], system.instance.environment | environment,
        seconds=int(ended_after[1]) if ended_after else 120,
    )
    if ended.code is None:
        assert ended_after, f"{block.place} did not end:\n{ended.said}"
    else:
        assert ended_after or ended.code == 0, f"{block.place}:\n{ended.said}"


@pytest.mark.parametrize(
    "block", [block for block in blocks() if block.word.startswith("run")], ids=lambda block: block.place,
)
def test_a_documented_command_runs_as_written(system: System, block: Block) -> None:
    assert block.language == "sh"
    run(system, block)


def test_the_tour_in_the_readme_runs_as_written(system: System, engine: DockerEngine, tmp_path: Path) -> None:
    tours = [block for block in blocks() if block.word == "tour"]
    assert tours
    docker = engine.client(tmp_path / "config")
    assert docker.import_image(make_image("readme").layers[0].content, "hello:1").ok
    for block in tours:
        run(system, block, DOCKER_HOST=engine.host, DOCKER_CONFIG=str(tmp_path / "config"))


def test_images_are_pushed_to_where_a_cluster_pulls_from(system: System, engine: DockerEngine, tmp_path: Path) -> None:
    """Small ones by the names of those that compose builds: this engine has no others."""
    places = {"registry.example.com": system.host}
    commands = documented("docs/helm.md", "docker push").fitted(places)
    docker = engine.client(tmp_path / "config")
    assert (done := docker.login(system.host, system.admin_name, system.admin_password)).ok, done.said
    system.admin.create_project("platform")
    for name in ("breakwater", "breakwater-registry"):
        assert (done := docker.import_image(make_image(name).layers[0].content, f"{name}:latest")).ok, done.said
    words = {"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "config")}
    run_commands(commands, system.instance.environment | words)
    for name in ("breakwater", "breakwater-registry"):
        assert system.registry().tags(f"platform/{name}") == ["0.1.0"]
