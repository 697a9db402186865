"""The API beside a registry: JSON over the same connections, to a host that is named, as who we are there."""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.answers import LIST_LIMIT, USER_AGENT, Answer, read
from services.replication.remote.faults import refusal
from services.replication.remote.transport import Wire

PAGE: Final = 100
"""Entries that are asked for at once."""
_GONE: Final = frozenset({HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND})
_MOST_PAGES: Final = 100_000

Headers = Callable[[], Mapping[str, str]]


class Api:
    """One API. `headers` gives what proves who is asking, `masked` a text without it."""

    def __init__(self, wire: Wire, url: str, headers: Headers, masked: Callable[[str], str]) -> None:
        self.url = url.rstrip("/")
        self._wire = wire
        self._headers = headers
        self._masked = masked

    def ask(self, method: str, path: str, *, content: object = None) -> Answer:
        """One request, `content` as JSON. Raises AttemptFailed where no answer comes."""
        url = f"{self.url}{path}"
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **self._headers()}
        body = None
        if content is not None:
            body = json.dumps(content).encode()
            headers["Content-Type"] = "application/json"
        return read(self._wire.send(method, url, headers, body), url, LIST_LIMIT)

    def get(self, path: str, what: str) -> Any:  # noqa: ANN401 - whatever the other side says
        """What is at a path. Raises AttemptFailed, with NOT_FOUND where nothing is."""
        answer = self.ask("GET", path)
        if answer.status != HTTPStatus.OK:
            raise self.refused(what, answer)
        return answer.json()

    def pages(self, path: str, what: str, *, size: str = "page_size") -> Iterator[dict[str, Any]]:
        """The entries of a list that is asked for by the page's number: a page that is not full is the last."""
        joint = "&" if "?" in path else "?"
        for number in range(1, _MOST_PAGES):
            page = entries(self.get(f"{path}{joint}page={number}&{size}={PAGE}", what))
            yield from page
            if len(page) < PAGE:
                return

    def delete(self, path: str, what: str) -> None:
        """Nothing happens where nothing is. Raises AttemptFailed."""
        answer = self.ask("DELETE", path)
        if answer.status not in _GONE:
            raise self.refused(what, answer)

    def refused(self, what: str, answer: Answer, *, push: bool = False) -> AttemptFailed:
        """For an answer that is not the one that was asked for."""
        failed = refusal(what, answer.status, answer.headers, answer.body, push=push)
        return AttemptFailed(failed.fault, self._masked(failed.sentence), after=failed.after)


def entries(content: object) -> list[dict[str, Any]]:
    """The objects of a list. Raises AttemptFailed where it is none."""
    if not isinstance(content, list):
        raise AttemptFailed(Fault.SERVER_ERROR, "the answer is not a list, as it has to be")
    return [each for each in content if isinstance(each, dict)]


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def wanted_text(value: object) -> str:
    """A text, or an empty one where something else came."""
    return value if isinstance(value, str) else ""
