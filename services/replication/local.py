"""This registry as an end of a transfer: the registry's own socket, and the gate's for what changes a manifest.

So quotas, immutable tags and the record of what is expected hold here too. Tokens are those of `system:replication`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from urllib3 import Timeout
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.remote.channel import Channel
from services.replication.remote.client import RegistryEnd
from services.replication.remote.faults import trouble
from services.replication.remote.transport import BLOCK, POOL_SECONDS, READ_SECONDS, Body
from shared.metrics.tally import Tally
from shared.registry.errors import RegistryRefused, RegistryUnavailable
from shared.registry.tokens import SystemTokens
from shared.registry.transport import UnixPool
from shared.settings import Settings
from shared.tracing.current import calling

PLACE: Final = "here"
SERVICE: Final = "replication"
CONNECTIONS: Final = 32
"""Twice the artifacts that a policy copies at once."""

_URL: Final = "http://localhost"
_READS: Final = frozenset({"GET", "HEAD"})
_MADE: Final = frozenset({HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
_GATED: Final = frozenset({"PUT", "DELETE"})


class LocalEnd(RegistryEnd):
    """This registry as `End`, and what has to be there before something comes in."""

    def prepare(self, repository: str) -> None:
        """Have the project made here that a repository belongs to, if there is none. Raises AttemptFailed."""
        answer = self.channel.ask("PUT", f"/internal/repositories/{repository}", f"repository:{repository}:pull,push")
        if answer.status == HTTPStatus.CONFLICT:
            sentence = f"the name of the project of {repository} is reserved for some minutes after its deletion"
            raise AttemptFailed(Fault.OVERLOADED, sentence)
        if answer.status not in _MADE:
            raise self.channel.refused(f"the project of {repository}", answer)


def local_end(settings: Settings, *, connections: int = CONNECTIONS, tally: Tally | None = None) -> LocalEnd:
    """This registry. Raises ConfigurationError where this part has no credential of its own."""
    tokens = SystemTokens(settings.token_mounts, SERVICE, settings.secret("system-credential"))
    return LocalEnd(Channel(_URL, Sockets(settings, connections, tally), SystemAuth(tokens)), place=PLACE)


class Sockets:
    """`Wire` over this instance's sockets."""

    def __init__(self, settings: Settings, connections: int, tally: Tally | None) -> None:
        self._registry = UnixPool(settings.registry, maxsize=connections, blocksize=BLOCK, tally=tally)
        self._gate = UnixPool(settings.core_mounts, maxsize=connections)
        self._closed = {
            settings.readonly_flag: "the disk here is nearly full: nothing is stored until it has room",
            settings.collecting_flag: "garbage is being collected here: nothing is stored until it ends",
        }

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, patience: float = READ_SECONDS
    ) -> BaseHTTPResponse:
        """As `Wire` says."""
        parsed = urlsplit(url)
        if f"{parsed.scheme}://{parsed.netloc}" != _URL:
            raise AttemptFailed(Fault.REFUSED, "the registry here leads to another host: that is not followed")
        if method not in _READS and method != "DELETE":
            for flag, sentence in self._closed.items():
                if flag.exists():
                    raise AttemptFailed(Fault.OVERLOADED, sentence)
        # distribution has no list of referrers: the catalogue keeps it
        internal = parsed.path.startswith("/internal/")
        gated = internal or "/referrers/" in parsed.path or (method in _GATED and "/manifests/" in parsed.path)
        pool = self._gate if gated else self._registry
        try:
            place = "core.sock" if gated else "registry.sock"
            with calling(method, parsed.path, place) as call, pool.counted(method) as asked:
                response = pool.urlopen(
                    method,
                    f"{parsed.path}{f'?{parsed.query}' if parsed.query else ''}",
                    body=body,  # type: ignore[arg-type]  # urllib3 asks for IO, and uses `read`
                    headers={**headers, **call.headers},
                    timeout=Timeout(connect=patience, read=patience),
                    pool_timeout=POOL_SECONDS,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
                call.status = response.status
                asked.status = str(response.status)
                return response
        except (HTTPError, OSError) as error:
            raise trouble(error, "the gate here" if gated else "the registry here") from error


class SystemAuth:
    """`Auth` of the system's own service."""

    def __init__(self, tokens: SystemTokens) -> None:
        self._tokens = tokens

    def authorization(self, scope: str) -> str | None:
        """As `Auth` says."""
        try:
            return f"Bearer {self._tokens.token(scope).reveal()}"
        except RegistryUnavailable as error:
            raise AttemptFailed(Fault.UNREACHABLE, error.sentence) from error
        except RegistryRefused as error:
            raise AttemptFailed(Fault.DENIED, error.sentence) from error

    def challenged(self, scope: str, used: str | None, headers: Mapping[str, str]) -> bool:  # noqa: ARG002 - as Auth
        """As `Auth` says."""
        self._tokens.forget(scope)
        return True

    def masked(self, text: str) -> str:
        """As `Auth` says: nothing is sent that could come back but tokens of minutes."""
        return text
