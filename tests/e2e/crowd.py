"""Those who push, delete and pull while garbage is collected, and know nothing of it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import requests

from tests.clients.collecting import SENTENCE, collect
from tests.clients.images import make_image
from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.system import System

TO_BE_REPEATED: Final = {"DENIED", "UNSUPPORTED", "BLOB_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN"}
"""What a push may be told that a collection comes across: refused, or its blobs, which nothing named yet, are gone."""


@dataclass
class Crowd:
    """Some who push and delete, and one who pulls what was pushed, for as long as the collections last."""

    system: System
    project: str
    wanted: int
    kept: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    pulls: int = 0
    over: threading.Event = field(default_factory=threading.Event)
    begun: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def push(self, name: str) -> None:
        """Push one image after another; each second one that comes to be is deleted again, and is garbage then.

        Each in a repository of their own: distribution 2.8 answers 500 where two delete in one at the same moment.
        """
        repository = f"{self.project}/{name}"
        client = self.system.registry()
        while not (self.over.is_set() and self.begun >= self.wanted):
            with self._lock:
                self.begun += 1
                number = self.begun
            tag = f"v{number}"
            image = make_image(f"{repository}/{tag}", layer_size=2000)
            self._repeat(partial(client.push, repository, tag, image))
            if number % 2:
                self._repeat(partial(client.delete_manifest, repository, image.digest))
            else:
                self.kept[tag] = repository

    def pull(self) -> None:
        """Pull what is there, all the time."""
        client = self.system.registry()
        while not self.over.is_set():
            for tag, repository in [*self.kept.items()][-5:]:
                answer = client.pull(repository, tag)
                self.pulls += 1
                if answer.status_code != requests.codes.ok:
                    self.wrong.append(f"pull of {tag}: {answer.status_code} {answer.text[:200]}")
            time.sleep(0.01)

    def _repeat(self, act: Callable[[], requests.Response]) -> None:
        for _ in range(200):
            answer = act()
            if answer.ok:
                return
            code = json.loads(answer.text)["errors"][0]["code"] if answer.text.startswith("{") else "?"
            self.refused[code] += 1
            if code in {"NOT_FOUND", "MANIFEST_UNKNOWN"}:
                return
            if code not in TO_BE_REPEATED or (code == "DENIED" and SENTENCE not in answer.text):
                self.wrong.append(f"{answer.request.method} {answer.url}: {answer.status_code} {answer.text[:200]}")
            time.sleep(0.2)
        self.wrong.append("it never went through")


def collect_among(system: System, pushes: int, collections: int) -> None:
    """So many collections, spread over so many pushes: every tag that was accepted pulls, then and at the end."""
    crowd = Crowd(system, system.new_project(), pushes)
    threads = [threading.Thread(target=crowd.push, args=(name,)) for name in "abc"]
    threads.append(threading.Thread(target=crowd.pull))
    for thread in threads:
        thread.start()
    try:
        for number in range(collections):
            due = pushes * number // collections
            eventually(lambda due=due: crowd.begun >= due, within=300, what=f"{due} pushes begun")  # type: ignore[misc]
            collect(system.admin)
    finally:
        crowd.over.set()
        for thread in threads:
            thread.join(600)
    assert crowd.wrong == []
    assert crowd.refused["DENIED"] > 0
    assert crowd.pulls > 5 * collections
    assert len(crowd.kept) >= pushes // 2 - 3
    client = system.registry()
    assert all(client.pull(repository, tag).ok for tag, repository in crowd.kept.items())
    collect(system.admin)
    assert all(client.pull(repository, tag).ok for tag, repository in crowd.kept.items())
