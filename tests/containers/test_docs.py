"""The commands of docs/containers.md in blocks that say `sh containers` are run as they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.documented import Block, blocks

if TYPE_CHECKING:
    from tests.containers.stack import Stack

pytestmark = pytest.mark.timeout(2400)

RUN: Final = [block for block in blocks() if (block.language, block.word) == ("sh", "containers")]


def test_there_are_commands_to_run() -> None:
    assert len(RUN) >= 3


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_a_documented_command_runs_as_written(stack: Stack, block: Block) -> None:
    stack.documented(block.fitted())
