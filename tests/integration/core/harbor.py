"""PyPI's harborapi as a client of the core mount, and a registry whose images stand in the catalogue."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import httpx
from harborapi import HarborAsyncClient

from gateway.core.request import API
from services.api.commands.observation import observe
from services.audit.commands import record_batch
from services.audit.domain.chain import ChainKey
from shared.db import engine, session_factory
from shared.events.envelope import parse
from shared.names import Digest, RepositoryName, TagName
from shared.secrets import Secret
from tests.clients.images import make_image, make_referrer
from tests.integration.conftest import Database
from tests.integration.core.people import ADMIN, Caller
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens

REPOSITORY = "a/b"  # its slash is what clients encode in many ways
IMAGE = make_image("driven")
SIGNATURE = make_referrer(IMAGE.manifest, artifact_type="application/vnd.cncf.notary.signature")


class Harbor:
    """harborapi's client, one call after the other: its own wrapper fails where a method calls another."""

    def __init__(self, client: HarborAsyncClient) -> None:
        self._client, self._loop = client, asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *given, **named: self._loop.run_until_complete(method(*given, **named))

    def close(self) -> None:
        self._loop.run_until_complete(self._client.client.aclose())
        self._loop.close()


@dataclass(frozen=True)
class Rig:
    """The core mount at a socket, and what an image has to pass to stand in its catalogue."""

    socket: str
    database: Database
    tokens: Tokens
    registry: RegistryServer
    asked: set[tuple[str, str]] = field(default_factory=set)

    def client(self, caller: Caller = ADMIN) -> Harbor:
        """harborapi as somebody; what it asks for is written down."""
        client = HarborAsyncClient(
            url=f"http://breakwater.test{API}", username=caller.name or "nobody", secret=caller.password, retry=None
        )
        transport = httpx.AsyncHTTPTransport(uds=self.socket)
        client.client = httpx.AsyncClient(transport=transport, event_hooks={"request": [self._write_down]})
        return Harbor(client)

    def push(self, project: str, *tags: str) -> None:
        """Push one image under some tags, and catalogue it as the metadata service does."""
        name, pusher = f"{project}/{REPOSITORY}", Pusher(tokens=self.tokens, socket=self.registry.socket)
        for tag in tags:
            pusher.push(name, tag, IMAGE)
        self._catalogue(name, tags=tags)

    def push_signature(self, project: str) -> None:
        """Push what is about the image, by its digest alone, and catalogue it."""
        name = f"{project}/{REPOSITORY}"
        Pusher(tokens=self.tokens, socket=self.registry.socket).push(name, SIGNATURE.digest, SIGNATURE)
        self._catalogue(name, digests=(SIGNATURE.digest,))

    def _catalogue(self, name: str, *, digests: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        bind, now = engine(self.database.settings("metadata")), datetime.now(UTC)
        with session_factory(bind).begin() as session:
            observe(
                session,
                self.registry.client(self.tokens),
                RepositoryName.parse(name),
                digests={Digest(digest): now for digest in digests},
                tags={TagName(tag): now for tag in tags},
            )
        bind.dispose()

    def record(self) -> None:
        """Have the audit service take what waits in the outbox."""
        with self.database.superuser() as connection:
            rows = connection.execute("SELECT body FROM events.outbox ORDER BY id").fetchall()
        bind = engine(self.database.settings("audit"))
        with session_factory(bind).begin() as session:
            key = ChainKey(Secret("the chain's key of a test"))
            record_batch(session, [parse(row[0]) for row in rows], key=key, now=datetime.now(UTC))
        bind.dispose()

    async def _write_down(self, request: httpx.Request) -> None:
        path = request.url.raw_path.decode().partition("?")[0].removeprefix(API)
        self.asked.add((request.method, "/".join(unquote(piece) for piece in path.split("/"))))
