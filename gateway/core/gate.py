"""The gate on manifest writes: what is expected is committed before the registry is asked, so that no push is lost.

Only a valid bearer opens it; without one the registry answers, with its challenge, and learns nothing but the path.
What the project's policies say of a write is asked in the same step.
"""

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import falcon
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker
from urllib3 import Timeout
from urllib3.exceptions import HTTPError, NewConnectionError

from gateway.core.middleware.read_only import ReadOnlyMode
from gateway.core.places import Places
from gateway.core.request import ApiRequest, ApiResponse
from services.api.commands.admission import Push, expect_deletion, expect_push
from services.api.commands.deletion import delete_tag
from services.api.commands.expectation import Kind, SettledBy, mark_answered, refuse
from services.api.errors import NoSuchProject, TagIsImmutable
from services.api.queries.configuration import is_read_only
from shared import logging
from shared.auth.bearer import Bearer, Rejected, Verifier
from shared.auth.principals import PrincipalKind
from shared.errors import BadRequest, Forbidden, MethodNotAllowed, NotFound, TooLarge
from shared.events import Actor, ActorKind, EventContext
from shared.metrics.tally import Tally
from shared.names import Digest, InvalidName, RepositoryName, TagName, parse_reference
from shared.registry import agent
from shared.registry.acceptance import refuse_what_cannot_be_stored
from shared.registry.client import RegistryClient
from shared.registry.errors import RegistryUnavailable
from shared.registry.manifests import MANIFEST_LIMIT
from shared.registry.transport import UnixPool, read_limited

ROUTE: Final = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)\Z")
KINDS: Final = {"PUT": Kind.PUT, "DELETE": Kind.DELETE}
ACTIONS: Final = {Kind.PUT: "push", Kind.DELETE: "delete"}

_PASSED_ON: Final = (
    "Host", "Authorization", "Content-Type", "Accept", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
)  # fmt: skip
_KEPT_BACK: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-type", "date", "server", "upgrade"}
)
_ANSWER_LIMIT: Final = 1024 * 1024
_PIECE: Final = 64 * 1024
_CONNECT_TRIES: Final = 5
_PATIENCE_SECONDS: Final = 5.0
_NOTE_SECONDS: Final = 3.0
_REFUSED: Final = range(400, 500)
_DONE: Final = range(200, 300)


def mount_gate(
    app: falcon.App[ApiRequest, ApiResponse],
    *,
    sessions: sessionmaker[Session],
    registry: Path,
    client: RegistryClient,
    verifier: Verifier,
    tally: Tally,
    places: int = 4,
) -> None:
    """Let the app answer PUT and DELETE of /v2/<name>/manifests/<reference>.

    `registry` is the registry's socket; by `client` it is asked what the policies need to know, and what it does not
    offer to clients. `places` is how many such writes are under way at once: half of a worker's threads, the others are
    the API's.
    """
    pool = UnixPool(registry, maxsize=places, timeout=Timeout(connect=5, read=55), tally=tally)
    app.add_sink(Gate(sessions, pool, client, verifier, Places(places, patience=_PATIENCE_SECONDS)), ROUTE)


class Gate:
    """Manifest writes on their way to the registry."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        registry: UnixPool,
        client: RegistryClient,
        verifier: Verifier,
        places: Places,
    ) -> None:
        self._places = places
        self._sessions = sessions
        self._client = client
        self._registry = registry
        self._verifier = verifier
        self._log = logging.get()

    def __call__(self, req: ApiRequest, resp: ApiResponse, **path: str) -> None:
        """One manifest write.

        Raises UnknownName, ReadOnlyMode, NoSuchProject, OverQuota, Forbidden, Conflict, TooLarge, UnreadableManifest,
        RegistryUnavailable.
        """
        kind = KINDS.get(req.method)
        if kind is None:
            raise MethodNotAllowed
        repository, reference = _names(path["name"], path["reference"])
        bearer = self._bearer(req)
        if bearer is not None and bearer.kind is not PrincipalKind.SYSTEM:
            self._refuse_in_read_only_mode()
        if bearer is None or not bearer.allows(ACTIONS[kind], repository.text):
            with self._places.one():
                self._challenge(req, resp, bearer)
            return
        body = _body(req) if kind is Kind.PUT else None
        with self._places.one(), _denials():
            if body is not None:
                push = Push(repository=repository, reference=reference, body=body, media_type=req.content_type or "")
                self._put(req, resp, bearer, push)
            elif isinstance(reference, Digest):
                self._delete(req, resp, bearer, repository, reference)
            else:
                self._untag(req, resp, bearer, repository, reference)

    def _refuse_in_read_only_mode(self) -> None:
        """Tokens of before still allow a push. Raises ReadOnlyMode."""
        with self._sessions() as session:
            if is_read_only(session):
                raise ReadOnlyMode

    def _put(self, req: ApiRequest, resp: ApiResponse, bearer: Bearer, push: Push) -> None:
        refuse_what_cannot_be_stored(push.body, push.media_type)
        expectation_id = expect_push(self._sessions, self._client, push, context=context_of(req, bearer))
        self._forward(req, resp, push.body, expectation_id)
        subject = push.subject if resp.status_code in _DONE else None
        if subject is not None:
            resp.set_header("OCI-Subject", subject.text)

    def _delete(
        self, req: ApiRequest, resp: ApiResponse, bearer: Bearer, repository: RepositoryName, digest: Digest
    ) -> None:
        context = context_of(req, bearer)
        expectation_id = expect_deletion(
            self._sessions, self._client, repository=repository, digest=digest, context=context
        )
        self._forward(req, resp, None, expectation_id)

    def _untag(
        self, req: ApiRequest, resp: ApiResponse, bearer: Bearer, repository: RepositoryName, tag: TagName
    ) -> None:
        """Take a tag off as the API does: not every registry can."""
        context = context_of(req, bearer)
        try:
            delete_tag(self._sessions, self._client, repository=repository, reference=None, tag=tag, context=context)
        except NoSuchProject:
            raise
        except NotFound as error:
            raise UnknownManifest(error.sentence) from error
        resp.status = falcon.HTTP_202

    def _bearer(self, req: ApiRequest) -> Bearer | None:
        checked = self._verifier.read(req.auth)
        if isinstance(checked, Rejected):
            self._log.info("bearer_rejected", reason=checked.reason)
            return None
        return checked

    def _challenge(self, req: ApiRequest, resp: ApiResponse, bearer: Bearer | None) -> None:
        """Let the registry say what is missing; a token that we do not believe is not shown to it, nor is the body."""
        headers = _headers(req, None)
        if bearer is None:
            headers.pop("Authorization", None)
        _answer(resp, *self._send(req, headers, None))

    def _forward(self, req: ApiRequest, resp: ApiResponse, body: bytes | None, expectation_id: UUID) -> None:
        """Pass on request and answer. Where the answer is lost the expectation stays open, for the reconciler."""
        try:
            status, headers, content = self._send(req, _headers(req, expectation_id), body)
        except _NothingSent:
            self._note(expectation_id, 0)
            raise
        self._note(expectation_id, status)
        _answer(resp, status, headers, content)

    def _note(self, expectation_id: UUID, status: int) -> None:
        """Keep how the registry answered (0: it was never asked); the answer is told even where this fails.

        A database that restarts is waited for: the event of a push waits for this note, or for half a minute.
        """
        deadline = time.monotonic() + _NOTE_SECONDS
        for attempt in count():
            try:
                with self._sessions.begin() as session:
                    if status in _DONE:
                        mark_answered(session, expectation_id)
                    elif status in _REFUSED or not status:
                        refuse(session, expectation_id, by=SettledBy.GATE)
            except SQLAlchemyError as error:
                pause = 0.1 * 2**attempt * random.uniform(0.5, 1.0)
                if time.monotonic() + pause > deadline:
                    reason = type(error).__name__
                    self._log.warning("answer_not_noted", expectation=str(expectation_id), reason=reason)
                    return
                time.sleep(pause)
            else:
                return

    def _send(
        self, req: ApiRequest, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request to the registry; connecting is tried again while it restarts, sending never."""
        for attempt in range(_CONNECT_TRIES):
            try:
                response = self._registry.ask(req.method, req.path, headers, body or b"")
                return response.status, response.headers, read_limited(response, _ANSWER_LIMIT, "the answer")
            except NewConnectionError:
                time.sleep(0.1 * 2**attempt * random.uniform(0.5, 1.0))
            except (HTTPError, OSError) as error:
                self._log.warning("registry_lost", reason=str(error)[:200])
                raise RegistryUnavailable from error
        raise _NothingSent


class UnknownName(BadRequest):
    """A repository or reference that follows no grammar."""

    code = "NAME_INVALID"


class UnknownManifest(NotFound):
    """There is no such manifest."""

    code = "MANIFEST_UNKNOWN"


class _NothingSent(RegistryUnavailable):
    """The registry did not take a connection: the write has certainly not happened."""


def _names(name: str, reference: str) -> tuple[RepositoryName, TagName | Digest]:
    try:
        return RepositoryName.parse(name), parse_reference(reference)
    except InvalidName as error:
        raise UnknownName(error.sentence) from error


@contextmanager
def _denials() -> Iterator[None]:
    """412 has no meaning on /v2; a denial is shown word for word by every client."""
    try:
        yield
    except TagIsImmutable as denial:
        raise Forbidden(denial.sentence) from denial


def context_of(req: ApiRequest, bearer: Bearer) -> EventContext:
    """Who does it: whoever the token was given to."""
    return EventContext(
        instance_id=req.instance_id,
        actor=Actor(kind=ActorKind(bearer.kind.value), name=bearer.subject or "anonymous"),
        request_id=req.request_id,
        address=req.address,
        user_agent=req.user_agent,
        traceparent=req.get_header("traceparent"),
    )


def _body(req: ApiRequest) -> bytes:
    """The manifest, whole; what is too large is read to its end and dropped. Raises TooLarge."""
    stream: Any = req.bounded_stream if req.content_length is not None else req.stream
    body: bytes = stream.read(MANIFEST_LIMIT + 1)
    if len(body) > MANIFEST_LIMIT:
        # the proxy has bounded it; a client that still sends would not see the answer
        while stream.read(_PIECE):
            pass
        raise TooLarge(f"the manifest is larger than {MANIFEST_LIMIT // 2**20} MiB")
    return body


def _headers(req: ApiRequest, expectation_id: UUID | None) -> dict[str, str]:
    passed_on = {name: value for name in _PASSED_ON if (value := req.get_header(name))}
    user_agent = agent.carry(req.user_agent, request_id=req.request_id, expectation_id=expectation_id)
    return {**passed_on, "User-Agent": user_agent}


def _answer(resp: ApiResponse, status: int, headers: Mapping[str, str], content: bytes) -> None:
    resp.status = falcon.code_to_http_status(status)
    for name, value in headers.items():
        if name.lower() not in _KEPT_BACK:
            resp.set_header(name, value)
    resp.content_type = headers.get("Content-Type")
    resp.data = content
