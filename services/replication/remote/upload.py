"""Sends a blob: as one stream, or in chunks; broken off, it goes on from what the registry acknowledges.

As one stream it is POST and one PUT of all, as containerd pushes to every registry: a round trip less than with a PATCH
between them. Specification: OCI distribution 1.1.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from services.replication.domain.task import Fault
from services.replication.ends import Opener
from services.replication.errors import AttemptFailed
from services.replication.remote.answers import Answer
from services.replication.remote.channel import Channel, TokenEnded
from services.replication.remote.reading import Reading, Sending
from shared.registry.manifests import Descriptor

TRIES: Final = 4
FINISH_SECONDS: Final = 300.0
"""For the last answer: some registries copy the whole blob to its place before they give it."""

_RESUMED: Final = frozenset({Fault.UNREACHABLE, Fault.SERVER_ERROR})
_TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
_TYPE: Final = "application/octet-stream"
_PAUSE_SECONDS: Final = 0.25


class Upload:
    """One blob on its way to one repository."""

    def __init__(
        self,
        channel: Channel,
        repository: str,
        blob: Descriptor,
        source: Opener,
        sent: Callable[[int], None],
        *,
        held_by: str | None = None,
    ) -> None:
        self._channel = channel
        self._repository = repository
        self._path = f"/v2/{repository}/blobs/uploads/"
        self._scope = f"repository:{repository}:pull,push"
        self._sending = Sending(blob, source, sent)
        self._held_by = held_by
        self._location: str | None = None
        self._offset = 0
        self._least = 0

    def run(self, chunk: int | None) -> bool:
        """Send it; whether it had to be. Raises AttemptFailed."""
        for attempt in range(1, TRIES + 1):
            try:
                if self._location is not None and not self._found_again():
                    self._location = None
                    if self._is_there():
                        return True
                if self._location is None and self._begin():
                    return False
                if chunk is None:
                    self._send_rest()
                else:
                    self._send_chunks(chunk)
            except AttemptFailed as failure:
                if failure.fault is Fault.CORRUPT:
                    self._cancel()
                if attempt == TRIES or not (failure.fault in _RESUMED or isinstance(failure, TokenEnded)):
                    raise
                time.sleep(_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))
            else:
                return True
        return True

    def _begin(self) -> bool:
        """Open an upload; True where none is needed, as the registry has the blob in a repository of its own.

        To ask so is one request for what would be two: is it there, and begin.
        """
        held_by, self._held_by = self._held_by, None
        answer = self._ask_to_mount(held_by) if held_by is not None else None
        if answer is not None and answer.status == HTTPStatus.CREATED:
            return True
        if answer is None or answer.status != HTTPStatus.ACCEPTED:
            answer = self._channel.ask("POST", self._path, self._scope)
        if answer.status != HTTPStatus.ACCEPTED:
            raise self._channel.refused("the beginning of an upload", answer, push=True)
        self._move(answer)
        self._offset = 0
        least = answer.headers.get("OCI-Chunk-Min-Length", "")
        self._least = int(least) if least.isdecimal() else 0
        return False

    def _ask_to_mount(self, held_by: str) -> Answer:
        query = urlencode({"mount": self._sending.digest.text, "from": held_by})
        scope = self._scope if held_by == self._repository else f"{self._scope} repository:{held_by}:pull"
        answer = self._channel.ask("POST", f"{self._path}?{query}", scope)
        if answer.status not in _TAKEN:
            failure = self._channel.refused("a mount of a blob", answer, push=True)
            if failure.fault not in {Fault.DENIED, Fault.NOT_FOUND, Fault.REFUSED}:
                raise failure
        return answer

    def _is_there(self) -> bool:
        """Whether the blob was stored after all: an answer can be lost too."""
        answer = self._channel.ask("HEAD", f"/v2/{self._repository}/blobs/{self._sending.digest}", self._scope)
        return answer.status == HTTPStatus.OK

    def _found_again(self) -> bool:
        """Whether the registry knows how far the upload has come; what it does not keep is sent anew."""
        answer = self._channel.ask("GET", self._location or "", self._scope)
        if answer.status not in {HTTPStatus.OK, HTTPStatus.NO_CONTENT}:
            return False
        offset = _acknowledged(answer)
        if offset is None or offset > self._sending.size:
            return False
        self._offset = offset
        self._move(answer)
        return True

    def _send_rest(self) -> None:
        with self._sending.at(self._offset) as reading:
            rest = self._sending.size - self._offset
            headers = {"Content-Type": _TYPE, "Content-Length": str(rest)}
            if self._offset:
                headers["Content-Range"] = f"{self._offset}-{self._sending.size - 1}"
            self._finish(headers, reading, rest)

    def _send_chunks(self, chunk: int) -> None:
        length = max(chunk, self._least, 1)
        with self._sending.at(self._offset) as reading:
            while self._offset < self._sending.size:
                self._send_chunk(reading, min(length, self._sending.size - self._offset))
            self._finish({"Content-Length": "0"}, reading, 0)

    def _send_chunk(self, reading: Reading, length: int) -> None:
        wanted = self._offset + length
        headers = {
            "Content-Type": _TYPE,
            "Content-Length": str(length),
            "Content-Range": f"{self._offset}-{wanted - 1}",
        }
        answer = self._channel.ask(
            "PATCH", self._location or "", self._scope, headers=headers, body=reading.part(length)
        )
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise AttemptFailed(Fault.SERVER_ERROR, "the registry has another part of the blob than it acknowledged")
        if answer.status not in _TAKEN:
            raise self._channel.refused("a chunk of a blob", answer, push=True)
        self._move(answer)
        acknowledged = _acknowledged(answer)
        if acknowledged is not None and acknowledged != wanted:
            raise AttemptFailed(Fault.SERVER_ERROR, f"the registry took {acknowledged} of {wanted} bytes")
        self._offset = wanted

    def _finish(self, headers: dict[str, str], reading: Reading, rest: int) -> None:
        location = self._location or ""
        target = f"{location}{'&' if '?' in location else '?'}{urlencode({'digest': self._sending.digest.text})}"
        body = reading.part(rest) if rest else None
        answer = self._channel.ask(
            "PUT", target, self._scope, headers=headers, body=body, patience=FINISH_SECONDS
        )
        if answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise AttemptFailed(Fault.SERVER_ERROR, "the registry has another part of the blob than it acknowledged")
        if answer.status not in _TAKEN:
            raise self._channel.refused("the upload of a blob", answer, push=True)

    def _move(self, answer: Answer) -> None:
        location = answer.headers.get("Location", "")
        if location or self._location is None:
            self._location = self._channel.here(location, answer)

    def _cancel(self) -> None:
        if self._location is not None:
            cancel(self._channel, self._location, self._scope)
            self._location = None


def cancel(channel: Channel, location: str, scope: str) -> None:
    """Let a registry drop an upload; where it does not, it does so by itself in time."""
    with suppress(AttemptFailed):
        channel.ask("DELETE", location, scope)


def _acknowledged(answer: Answer) -> int | None:
    """How many bytes the registry has, by its Range header; None where it does not tell."""
    first, dash, last = answer.headers.get("Range", "").removeprefix("bytes=").partition("-")
    if not dash or first.strip() != "0" or not last.strip().isdecimal():
        return None
    # of nothing and of one byte a registry says the same
    return int(last) + 1 if int(last) else None
