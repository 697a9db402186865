"""Reads Server-Sent Events in a thread, as a browser's EventSource does, and keeps all that came.

It stands on a bare connection, so that the test can hang up while the thread waits for the next line.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlencode, urlsplit

from tests.clients.polling import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

SILENCE_LIMIT: Final = 30
"""Seconds without even a heartbeat after which the stream counts as broken."""


class Stream:
    """An open stream; `events` grows while it is read, `ended` is set when the server closes it."""

    def __init__(
        self,
        url: str,
        credentials: tuple[str, str] | None,
        *,
        last_event_id: str | None = None,
        sent: Mapping[str, str] | None = None,
        **filters: str,
    ) -> None:
        headers = {"Accept": "text/event-stream"}
        if credentials:
            headers["Authorization"] = f"Basic {base64.b64encode(':'.join(credentials).encode()).decode()}"
        headers |= sent or {}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=SILENCE_LIMIT)
        connection.connect()
        self._socket: socket.socket = connection.sock
        query = f"?{urlencode(filters)}" if filters else ""
        connection.request("GET", f"/api/v2.0/events/stream{query}", headers=headers)
        self._answer = connection.getresponse()
        self.status = self._answer.status
        self.refusal = "" if self.status == http.client.OK else self._answer.read().decode()
        self.events: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.names: list[str] = []
        self.ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        if not self.refusal:
            self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hangs up; the reading thread wakes with an end of file."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._reader.ident is not None:
            self._reader.join(5)
        self._answer.close()
        self._socket.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        with suppress(OSError, http.client.HTTPException):  # a stream that breaks has ended as well
            while line := self._answer.readline().decode():
                if line.strip():
                    name, _, value = line.rstrip("\r\n").partition(":")
                    if name:
                        text = value.removeprefix(" ")
                        fields[name] = f"{fields[name]}\n{text}" if name in fields else text
                elif fields:
                    self._keep(fields)
                    fields = {}
        self.ended.set()

    def _keep(self, fields: Mapping[str, str]) -> None:
        if "data" in fields:
            self.ids.append(fields.get("id", ""))
            self.names.append(fields.get("event", "message"))
            self.events.append(json.loads(fields["data"]))

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], *, within: float = 10, what: str) -> dict[str, Any]:
        """The first event that fits."""
        return eventually(
            lambda: next((event for event in list(self.events) if wanted(event)), None), within=within, what=what,
        )
