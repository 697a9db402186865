"""The registry asked in a client's name: with the client's own token, which the registry itself judges."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import falcon
from urllib3 import Timeout
from urllib3.exceptions import HTTPError

from gateway.core.request import ApiRequest, ApiResponse
from shared import logging
from shared.metrics.tally import Tally
from shared.registry import agent
from shared.registry.client import TAGS_LIMIT
from shared.registry.errors import RegistryUnavailable
from shared.registry.transport import UnixPool, read_limited

_PASSED_ON: Final = ("Host", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto")
_HANDED_BACK: Final = ("WWW-Authenticate", "Docker-Distribution-Api-Version")
_TRIES: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What the registry answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def pass_on(self, resp: ApiResponse) -> None:
        """Give the client this answer, challenge included."""
        resp.status = falcon.code_to_http_status(self.status)
        for name in _HANDED_BACK:
            if value := self.headers.get(name):
                resp.set_header(name, value)
        resp.content_type = self.headers.get("Content-Type")
        resp.data = self.body


class ClientsRegistry:
    """Reads for clients; safe to share between threads."""

    def __init__(self, socket: Path, tally: Tally, *, connections: int = 16) -> None:
        self._pool = UnixPool(socket, maxsize=connections, timeout=Timeout(connect=5, read=30), tally=tally)

    def get(self, req: ApiRequest, path: str, *, with_token: bool = True) -> Said:
        """One path, as the client of a request would read it; `with_token=False` shows no token.

        It is tried again while the registry restarts. Raises RegistryUnavailable.
        """
        headers = {name: value for name in _PASSED_ON if (value := req.get_header(name))}
        headers["User-Agent"] = agent.carry(req.user_agent, request_id=req.request_id)
        if with_token and req.auth:
            headers["Authorization"] = req.auth
        for attempt in range(_TRIES):
            try:
                response = self._pool.ask("GET", path, headers, None)
                body = read_limited(response, TAGS_LIMIT, "the registry's answer")
                return Said(status=response.status, headers=response.headers, body=body)
            except (HTTPError, OSError) as error:
                logging.get().warning("registry_lost", reason=str(error)[:200])
                time.sleep(0.1 * 2**attempt * random.uniform(0.5, 1.0))
        raise RegistryUnavailable
