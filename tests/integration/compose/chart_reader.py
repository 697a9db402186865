"""Somebody who reads docs/helm.md and does what it says, with the real helm and kubectl, in a folder like a clone.

There is no cluster: tests/clients/kubernetes is what the commands speak to.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from compose.docker import site as containers
from compose.local.layout import DEFINITIONS
from compose.local.options import CHECKOUT
from tests.clients.kubernetes.api import api
from tests.clients.kubernetes.tools import FOLDER, PROGRAMS
from tests.documented import Block, Ended, blocks, run_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.clients.kubernetes.api import Asked, Kubernetes
    from tests.clients.kubernetes.store import Event, Thing

NAME: Final = "docs/helm.md"
PAGE: Final = CHECKOUT.joinpath(NAME).read_text(encoding="utf-8")
BLOCKS: Final = [block for block in blocks() if block.page == NAME]
VALUES_FILE: Final = "breakwater-values.yaml"
NAMESPACE: Final = "breakwater"
SECONDS: Final = 20
WRITTEN: Final = re.compile(r"[Ww]rite `replicas: (\d+)`")
GIVEN: Final = {"OWNER_PASSWORD": "of-the-owner", "ACCESS_KEY": "access", "SECRET_KEY": "secret"}
"""Variables of the page that are its reader's."""
WORDS: Final = {"helm": ("helm",), "outside": ("helm", "outside"), "several": ("helm", "outside", "several")}
"""The values of the page that each of its words goes with."""
DEFINITIONS_FILE: Final = f"{containers.HOME}/secrets/rabbitmq/{DEFINITIONS}"
TOLD: Final = b'{"rabbit_version":"3"}\n'
"""What is laid where a pod has what the broker is to be told."""
AUTHORITY: Final = "-----BEGIN CERTIFICATE-----\n"


def commands(word: str) -> list[Block]:
    """The blocks of commands whose fence has this word, in the order of the page."""
    return [block for block in BLOCKS if (block.language, block.word) == ("sh", word)]


def values(*words: str) -> dict[str, Any]:
    """The page's values of these words, one laid over the other."""
    result: dict[str, Any] = {}
    for word in words:
        (block,) = [each for each in BLOCKS if (each.language, each.word) == ("yaml", word)]
        result = laid_over(result, yaml.safe_load(block.text))
    return result


def laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = {name for name in below.keys() & above.keys() if isinstance(above[name], dict)}
    return below | above | {name: laid_over(below[name], above[name]) for name in both}


def prose_before(block: Block) -> str:
    """What the page says between the block before this one and it."""
    lines = PAGE.splitlines()[: block.line - 1]
    ends = [number for number, line in enumerate(lines) if line.strip() == "```"]
    return "\n".join(lines[ends[-1] + 1 if ends else 0:])


@dataclass(frozen=True, kw_only=True)
class Step:
    """What came of commands: what the person saw, what reached the API, and what there was before and after."""

    text: str
    values: dict[str, Any]
    ended: Ended
    before: dict[tuple[str, str, str], Thing]
    after: dict[tuple[str, str, str], Thing]
    events: list[Event]
    asked: list[Asked]
    files: dict[str, bytes]
    """Those of the person's folder afterwards."""

    def changes(self, plural: str, name: str, kind: str = "MODIFIED") -> list[Thing]:
        """The states that an object of this name went through."""
        return [
            each.thing for each in self.events
            if (each.plural, each.thing["metadata"]["name"], each.kind) == (plural, name, kind)
        ]  # fmt: skip

    def there(self, plural: str) -> dict[str, Thing]:
        """What there is of a kind afterwards, by name."""
        return {name: thing for (of, _, name), thing in self.after.items() if of == plural}

    def was(self, plural: str) -> dict[str, Thing]:
        return {name: thing for (of, _, name), thing in self.before.items() if of == plural}


class Reader:
    """Has a folder with the chart, values and a home of his own. What is run is kept in `steps`, by where it stands."""

    def __init__(self, folder: Path, kubernetes: Kubernetes, written: dict[str, Any]) -> None:
        absent = [name for name in PROGRAMS if not FOLDER.joinpath(name).exists()]
        assert not absent, f"{' and '.join(absent)} not in {FOLDER}: ./breakwater test fetches them"
        self.kubernetes = kubernetes
        self.folder = folder / "clone"
        self.steps: dict[str, Step] = {}
        shutil.copytree(CHECKOUT / "compose" / "helm", self.folder / "compose" / "helm")
        self.folder.joinpath("company.pem").write_text(AUTHORITY)
        home = folder / "home"
        home.mkdir()
        self._environment = GIVEN | {
            "PATH": f"{FOLDER}:{os.environ['PATH']}", "HOME": str(home), "KUBECONFIG": str(folder / "kubeconfig"),
            "LANG": "C.UTF-8",
        }  # fmt: skip
        self.values: dict[str, Any] = {}
        self.write(written)

    def write(self, written: dict[str, Any]) -> None:
        """The values from now on."""
        self.values = written
        self.folder.joinpath(VALUES_FILE).write_text(yaml.safe_dump(written))

    def run(self, text: str, *, seconds: float = SECONDS) -> Step:
        """Commands as they stand, and on until the stand-in has done what it does by itself."""
        store = self.kubernetes.store
        before, number, asked = store.snapshot(), store.number, len(self.kubernetes.asked)
        ended = run_words(["sh", "-euc", text], self._environment, seconds=seconds, folder=self.folder)
        self.kubernetes.settling.await_quiet()
        return Step(
            text=text, values=self.values, ended=ended, before=before, after=store.snapshot(),
            events=store.events[number:], asked=self.kubernetes.asked[asked:],
            files={each.name: each.read_bytes() for each in self.folder.iterdir() if each.is_file()},
        )  # fmt: skip

    def follow(self, block: Block) -> None:
        """A block of the page. What is written before it of a number of pods is put into the values first."""
        if told := WRITTEN.search(prose_before(block)):
            self.write(self.values | {"replicas": int(told[1])})
        self.steps[block.place] = self.run(block.text)

    def follow_all(self, them: Iterable[Block]) -> None:
        for block in them:
            self.follow(block)


@contextmanager
def reading(folder: Path, written: dict[str, Any]) -> Iterator[Reader]:
    """Somebody with these values, and an API that is empty."""
    with api(folder / "kubeconfig") as kubernetes:
        kubernetes.files[DEFINITIONS_FILE] = TOLD
        yield Reader(folder, kubernetes, written)


def goes_before_the_install(block: Block) -> bool:
    return "before the install:" in prose_before(block)


def prepare(reader: Reader, word: str = "helm") -> None:
    """All that the page has a person do before the install, with values of this word."""
    first = commands("helm")
    at = next(place for place, block in enumerate(first) if "helm install " in block.text)
    reader.follow_all(first[:at])
    if word != "helm":
        reader.follow_all(filter(goes_before_the_install, commands("outside")))


def install(reader: Reader) -> Block:
    """The block that installs; it is run."""
    (block,) = [block for block in commands("helm") if "helm install " in block.text]
    reader.follow(block)
    return block
