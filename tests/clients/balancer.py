"""What a Service does for clients: each connection goes to any one of those that are ready and take it."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Balancer:
    """On a port of loopback; as a context manager it takes nothing more afterwards."""

    def __init__(self) -> None:
        self.ready: set[int] = set()
        """Ports of loopback. Whoever dies is still among them, and refuses: then another one is asked."""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._lead, args=(client,), daemon=True).start()

    def _lead(self, client: socket.socket) -> None:
        ports = list(self.ready)
        with client:
            for port in random.sample(ports, len(ports)):
                try:
                    pod = socket.create_connection(("127.0.0.1", port), timeout=5)
                except OSError:
                    continue
                pod.settimeout(None)
                with pod:
                    back = threading.Thread(target=_pass_on, args=(pod, client), daemon=True)
                    back.start()
                    _pass_on(client, pod)
                    back.join()
                return


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    """Until one of the two has nothing more to say; then neither has."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
