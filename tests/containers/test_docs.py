"""The commands of docs/containers.md in blocks that say `sh containers` are run as they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from compose.local.options import CHECKOUT

if TYPE_CHECKING:
    from tests.containers.stack import Stack

pytestmark = pytest.mark.timeout(2400)

BLOCKS = re.findall(
    r"^```sh containers\n(.*?)^```", CHECKOUT.joinpath("docs", "containers.md").read_text(), re.MULTILINE | re.DOTALL
)


def test_there_are_commands_to_run() -> None:
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_documented_command_runs_as_written(stack: Stack, block: str) -> None:
    for line in block.splitlines():
        assert line.startswith("docker compose ")
        stack.compose(*line.removeprefix("docker compose ").split())
