"""Registry tokens for the system's own services, from the token mount's internal endpoint.

One token a scope, kept in memory until near its end; the credential never leaves this process but for that socket.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from shared.registry.errors import RegistryRefused, RegistryUnavailable
from shared.registry.transport import UnixPool, read_limited
from shared.secrets import Secret

CATALOG_SCOPE = "registry:catalog:*"
_ENDPOINT = "/internal/token"
_MARGIN_SECONDS = 30.0
_KEPT = 1_000
_BODY_LIMIT = 64 * 1024
_OK = 200
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Secret
    until: float


class SystemTokens:
    """Tokens of `system:<service>`, safe to share between threads."""

    def __init__(
        self,
        socket: Path | Sequence[Path],
        service: str,
        credential: Secret,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = UnixPool(socket, maxsize=4, timeout=Timeout(connect=2, read=5))
        self._service = service
        self._credential = credential
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def token(self, scope: str) -> Secret:
        """A token that grants the scope, or several with spaces between them, for some seconds at least.

        Raises RegistryUnavailable where the token mount does not answer, RegistryRefused where it refuses.
        """
        kept = self._kept.get(scope)
        if kept is not None and kept.until > self._clock():
            return kept.token
        fetched = self._fetch(scope)
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept = {each: kept for each, kept in self._kept.items() if kept.until > self._clock()}
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[scope] = fetched
        return fetched.token

    def forget(self, scope: str) -> None:
        """Drop a token that the registry did not take."""
        with self._lock:
            self._kept.pop(scope, None)

    def _fetch(self, scope: str) -> _Kept:
        body = json.dumps({"service": self._service, "scope": scope.split()}).encode()
        headers = {"Authorization": f"Bearer {self._credential.reveal()}", "Content-Type": "application/json"}
        asked_at = self._clock()
        try:
            response = self._pool.ask("POST", _ENDPOINT, headers, body)
            content = read_limited(response, _BODY_LIMIT, "the token mount's answer")
        except (HTTPError, OSError) as error:
            raise RegistryUnavailable("the token mount is not available right now") from error
        if response.status >= _SERVER_ERROR:
            raise RegistryUnavailable(f"the token mount answered {response.status}")
        if response.status != _OK:
            raise RegistryRefused(f"the token mount refused a token for system:{self._service}: {response.status}")
        answer = json.loads(content)
        lifetime = float(answer["expires_in"])
        return _Kept(token=Secret(str(answer["token"])), until=asked_at + max(lifetime - _MARGIN_SECONDS, lifetime / 2))
