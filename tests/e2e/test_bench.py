"""`breakwater bench` at its smallest: every measurement runs, and leaves its figures and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from compose.cli.bench import Measurement
from tests.bench.__main__ import MEASUREMENTS
from tests.documented import by_ci, documented, run_commands
from tests.servers import short_folder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.system import System


def test_the_command_line_offers_every_measurement() -> None:
    assert {each.value for each in Measurement} == set(MEASUREMENTS)


@pytest.mark.alone
def test_a_small_run_measures_everything_on_an_instance_of_its_own(system: System, tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    with short_folder() as temporary:
        block = documented("README.md", "./breakwater bench")
        small = {"./breakwater bench": f"./breakwater bench --small --json {figures}"}
        commands = block.fitted(by_ci(block) | small)
        run_commands(commands, system.instance.environment | {"TMPDIR": str(temporary)}, seconds=400)
        assert not list(temporary.iterdir())
    found = json.loads(figures.read_text())["figures"]
    for name in ("tokens", "push of", "pull of", "reads of", "intake", "events", "artifact list", "audit list",
                 "memory", "list projects", "list artifacts", "list audit logs", "get project", "get artifact by tag",
                 "cost of a push", "cost of a pull", "cost of a token", "cost of an event", "cost of a page",
                 "cost of a layer"):
        assert any(figure["name"].startswith(name) for figure in found), name
    assert [figure for figure in found if min(figure["ours"]["value"], figure["against"]["value"]) <= 0] == []
