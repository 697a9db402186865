"""The portal over a real registry: what is in it, and the addresses of the pages that show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from falcon.testing import Result, TestClient

from gateway.core.app import build
from services.api.commands.observation import observe
from shared.auth.login import build_login
from shared.db import engine, session_factory
from shared.names import Digest, RepositoryName, TagName
from tests.clients.images import Image, Index, make_image
from tests.integration.conftest import Database
from tests.integration.core.people import Api, Caller
from tests.integration.portal.browsing import Browser, Reading
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens, registry_server, token_mount

SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json"
_numbers = count(1)


@dataclass(frozen=True)
class Stock:
    """The portal over a registry that can be pushed to."""

    api: Api
    tokens: Tokens
    registry: RegistryServer
    database: Database

    def push(self, repository: str, reference: str, made: Image | Index) -> str:
        """Push, and catalogue it; returns its digest."""
        Pusher(tokens=self.tokens, socket=self.registry.socket).push(repository, reference, made)
        now = datetime.now(UTC)
        digests = {Digest(made.digest): now}
        tags = {} if ":" in reference else {TagName(reference): now}
        bind = engine(self.database.settings("metadata"))
        try:
            with session_factory(bind).begin() as session:
                client = self.registry.client(self.tokens)
                observe(session, client, RepositoryName.parse(repository), digests=digests, tags=tags)
        finally:
            bind.dispose()
        return made.digest

    def image(self, repository: str, *tags: str) -> str:
        """An image of its own under some tags; returns its digest."""
        made = make_image(f"image {next(_numbers)}")
        for tag in tags or (made.digest,):
            self.push(repository, tag, made)
        return made.digest

    def held(self, repository: str) -> dict[str, set[str]]:
        """What the API has in a repository: digests with their tags."""
        project, _, rest = repository.partition("/")
        path = f"/projects/{project}/repositories/{rest.replace('/', '%252F')}/artifacts?page_size=100&q=base=*"
        found = self.api.get(path)
        return {each["digest"]: {tag["name"] for tag in each["tags"] or ()} for each in found.json}


@contextmanager
def stocked(core_database: Database) -> Iterator[Stock]:
    with token_mount(core_database.server) as tokens, registry_server(tokens) as registry:
        settings = core_database.settings("core", registry_socket=registry.socket, token_socket=tokens.socket)
        bind = engine(settings, pool_size=12)
        login = build_login(settings, bind)
        api = Api(TestClient(build(settings, bind, login)), core_database)
        yield Stock(api, tokens, registry, core_database)
        login.ldap.close()
        bind.dispose()


def person(stock: Stock, caller: Caller) -> Browser:
    return Browser(stock.api).sign_in(caller)


def says(answer: Result) -> str:
    return Reading(answer.text).text


def page_of(repository: str, digest: str, act: str = "artifacts") -> str:
    project, _, rest = repository.partition("/")
    return f"/projects/{project}/{act}/{digest}/{rest}"


def deletion_of(repository: str, *digests: str) -> str:
    project, _, rest = repository.partition("/")
    return f"/projects/{project}/delete-artifacts/{rest}?" + "&".join(f"digest={each}" for each in digests)
