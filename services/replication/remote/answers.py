"""Answers that are read whole, up to a limit, and the heads of requests."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.faults import trouble
from shared.registry import agent
from shared.secrets import Secret

USER_AGENT: Final = agent.carry(agent.OWN, request_id=None)
LIMIT: Final = 256 * 1024
"""Bytes of an answer that only tells how something went."""
LIST_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one page of a list; some registries answer all at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer, whole."""

    url: str
    """What it answers."""
    status: int
    headers: Mapping[str, str]
    """By names in any case."""
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - whatever the other side says
        """Raises AttemptFailed."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise AttemptFailed(Fault.SERVER_ERROR, "the answer is not JSON, as it has to be") from error


def read(response: BaseHTTPResponse, url: str, limit: int = LIMIT) -> Answer:
    """The answer's body, its connection given back. Raises AttemptFailed where it breaks off or is too long."""
    try:
        body = response.read(limit + 1, decode_content=False)
    except (HTTPError, OSError) as error:
        response.close()
        raise trouble(error, "the answer") from error
    if len(body) > limit:
        response.close()
        raise AttemptFailed(Fault.REFUSED, f"an answer is longer than {limit} bytes")
    response.release_conn()
    return Answer(url=url, status=response.status, headers=response.headers, body=body)


def basic(name: str, secret: Secret) -> Secret:
    """The header of Basic authentication."""
    pair = f"{name}:{secret.reveal()}".encode()
    return Secret(f"Basic {base64.b64encode(pair).decode('ascii')}")
