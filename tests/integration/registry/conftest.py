from collections.abc import Iterator

import pytest

from shared.registry.client import RegistryClient
from tests.integration.registry_rig import Pusher, RegistryServer, Tokens, registry_server, token_mount
from tests.servers import Postgres


@pytest.fixture(scope="session")
def tokens(postgres_server: Postgres) -> Iterator[Tokens]:
    with token_mount(postgres_server) as mounted:
        yield mounted


@pytest.fixture
def registry(tokens: Tokens) -> Iterator[RegistryServer]:
    with registry_server(tokens) as server:
        yield server


@pytest.fixture
def client(registry: RegistryServer, tokens: Tokens) -> RegistryClient:
    return registry.client(tokens)


@pytest.fixture
def pusher(registry: RegistryServer, tokens: Tokens) -> Pusher:
    return Pusher(tokens=tokens, socket=registry.socket)
