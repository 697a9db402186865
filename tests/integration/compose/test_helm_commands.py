"""The commands of docs/helm.md, run as they are written by the real helm and kubectl against a stand-in for the API.

Three people read the page: with one pod, with servers outside, with several pods. What each of their commands has to
bring about is told here once for each verb; a command that is new on the page is run anyhow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.clients.kubernetes.tools import missing
from tests.integration.compose.chart_checks import CHECKS, parsed
from tests.integration.compose.chart_reader import (
    NAMESPACE,
    WORDS,
    Reader,
    commands,
    install,
    prepare,
    reading,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.documented import Block

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
BYSTANDER: Final = "data-of-somebody-else"
"""A claim beside those of Breakwater."""
BLOCKS: Final = [block for word in WORDS for block in commands(word)]
LINES: Final = [(block, line.strip()) for block in BLOCKS for line in block.text.splitlines()]


def add_bystander(reader: Reader) -> None:
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": BYSTANDER, "labels": {"app.kubernetes.io/instance": "another"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    reader.kubernetes.store.create("persistentvolumeclaims", NAMESPACE, claim)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Reader]]:
    """Those who have read the page, by the values that they chose."""
    found = {}
    for word, words in WORDS.items():
        with reading(tmp_path_factory.mktemp(word), values(*words)) as reader:
            prepare(reader, word)
            add_bystander(reader)
            installed = install(reader)
            mine = [block for block in commands(word) if block.place not in reader.steps]
            assert installed.place in reader.steps
            reader.follow_all(mine)
            found[word] = reader
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_runs_as_it_is_written(read: dict[str, Reader], block: Block) -> None:
    ended = read[block.word].steps[block.place].ended
    assert ended.code == 0, f"{block.text}\nended with {ended.code}:\n{ended.said}"


@pytest.mark.parametrize(("block", "line"), LINES, ids=range(len(LINES)))
def test_a_command_brings_about_what_it_is_for(read: dict[str, Reader], block: Block, line: str) -> None:
    command = parsed(line)
    assert command.verb in CHECKS, f"nothing tells what {command.verb!r} has to bring about"
    CHECKS[command.verb](read[block.word].steps[block.place], command)
