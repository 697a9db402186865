"""Clients that log in, push, pull and listen at once until they are told to end, and write down how each act went."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import requests

from tests.clients.images import make_image
from tests.clients.polling import settled
from tests.clients.registry import RegistryClient
from tests.clients.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.clients.images import Image
    from tests.clients.rest import RestClient

TRIES: Final = 5
PAUSE_SECONDS: Final = 1.0
"""As docker does, which begins with longer ones."""
REST_SECONDS: Final = 0.1


@dataclass(kw_only=True)
class Act:
    """One login, push or pull as its client sees it."""

    kind: str
    what: str
    began: float
    refusals: list[str] = field(default_factory=list)
    """How each try ended that was not the last."""
    done: bool = False
    seconds: float = 0.0


class Load:
    """Against one address, into one project; as a context manager nothing of it is left running."""

    def __init__(self, url: str, password: str, project: str, *, pushers: int = 2, pullers: int = 2) -> None:
        self.acts: list[Act] = []
        self.pushed: dict[str, Image] = {}
        """By the tag, what a client was told is stored."""
        self.streams: list[Stream] = []
        self._url = url
        self._password = password
        self.project = project
        self._ended = threading.Event()
        self._closed = threading.Event()
        turns = [self._log_in, *([self._push] * pushers), *([self._pull] * pullers)]
        self._threads = [threading.Thread(target=self._keep_on, args=(turn, name)) for name, turn in enumerate(turns)]
        self._listener = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._listener.start()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.end()
        self._closed.set()
        self._listener.join(60)
        for stream in self.streams:
            stream.close()

    def end(self) -> None:
        """Begin nothing more, and wait for what is under way; what is streamed goes on to be kept."""
        self._ended.set()
        for thread in self._threads:
            thread.join(120)

    def count(self, kind: str) -> Counter[str]:
        """How acts of a kind ended: at once, after how many more tries, or not at all."""
        acts = [act for act in self.acts if act.kind == kind]
        return Counter(f"{len(act.refusals)} more" if act.done and act.refusals else "done" if act.done else "FAILED"
                       for act in acts)

    def failed(self) -> list[Act]:
        return [act for act in self.acts if not act.done]

    def refused(self) -> list[Act]:
        """Acts that had to be tried again."""
        return [act for act in self.acts if act.refusals]

    def streamed(self, kind: str) -> list[tuple[str, str]]:
        """Id and tag of the events of a kind, as `artifact.pushed`, that came, over all connections."""
        return [
            (event["id"], event["data"]["tag"]) for stream in self.streams for event in stream.events
            if f".{kind}." in event.get("type", "") and event["data"].get("repository") == f"{self.project}/app"
        ]

    def _keep_on(self, turn: Callable[[RegistryClient, str], None], name: int) -> None:
        client = RegistryClient(self._url, "admin", self._password)
        number = 0
        while not self._ended.is_set():
            number += 1
            turn(client, f"{name}-{number}")
            self._ended.wait(REST_SECONDS)
        client.close()

    def _log_in(self, client: RegistryClient, name: str) -> None:
        self._act("login", name, client.ask_token)

    def _push(self, client: RegistryClient, name: str) -> None:
        image = make_image(f"{self.project}/{name}")

        def once() -> requests.Response:
            client.forget()
            return client.push(f"{self.project}/app", name, image)

        if self._act("push", name, once):
            self.pushed[name] = image

    def _pull(self, client: RegistryClient, name: str) -> None:
        tag = next(reversed(list(self.pushed)), None)
        if tag is None:
            return

        def once() -> requests.Response:
            client.forget()
            return client.pull(f"{self.project}/app", tag)

        self._act("pull", f"{tag} by {name}", once)

    def _act(self, kind: str, what: str, once: Callable[[], requests.Response]) -> bool:
        act = Act(kind=kind, what=what, began=time.time())
        self.acts.append(act)
        for _ in range(TRIES):
            try:
                answer = once()
            except (requests.RequestException, AssertionError) as error:
                refusal = f"{type(error).__name__}: {error}"[:200]
            else:
                if answer.ok:
                    act.done = True
                    break
                refusal = f"{answer.request.method} {answer.status_code}: {answer.text}"[:200]
            act.refusals.append(refusal)
            time.sleep(PAUSE_SECONDS)
        act.seconds = time.time() - act.began
        return act.done

    def _listen(self) -> None:
        """A stream that is refused or breaks is taken up again where it stood, to the very end."""
        seen = ""
        while not self._closed.is_set():
            try:
                stream = Stream(self._url, ("admin", self._password), last_event_id=seen or None)
            except (OSError, http.client.HTTPException):
                time.sleep(PAUSE_SECONDS)
                continue
            self.streams.append(stream)
            # one that is refused never ends: it never began
            while not (stream.refusal or stream.ended.wait(0.2) or self._closed.is_set()):
                pass
            if stream.refusal or stream.ended.is_set():
                seen = next((each for each in reversed(stream.ids) if each), seen)
                stream.close()
                time.sleep(PAUSE_SECONDS)


def check(admin: RestClient, load: Load) -> None:
    """Each push that a client was told of is on record once, catalogued, and streamed once."""

    def recorded() -> Counter[str]:
        rows = (row for row in admin.audit(load.project) if row["resource_type"] == "artifact")
        return Counter(row["resource"].rpartition(":")[2] for row in rows if row["operation"] == "create")

    settled(lambda: {*recorded()}, {*load.pushed}, within=150, what="every push is on record", every=2)
    # whose answer was lost, and who therefore pushed once more, has pushed twice
    again = {act.what for act in load.refused() if act.kind == "push"}
    assert {tag for tag, count in recorded().items() if count > 1} <= again
    settled(
        lambda: {artifact["digest"] for artifact in admin.artifacts(f"{load.project}/app")},
        {image.digest for image in load.pushed.values()}, within=60, what="every push is catalogued", every=2,
    )
    settled(
        lambda: {*load.pushed} ^ {tag for _, tag in load.streamed("artifact.pushed")}, set(), within=60,
        what="every push is streamed",
    )
    streamed = Counter(load.streamed("artifact.pushed"))
    assert {event for event, count in streamed.items() if count > 1} == set()
    assert {tag for tag, count in Counter(tag for _, tag in streamed).items() if count > 1} <= again
