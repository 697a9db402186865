"""Breakwater as another registry: the adapter of Harbor against the API and the registry of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import pytest
from urllib3 import Timeout
from urllib3.response import BaseHTTPResponse

from services.replication.domain.registry import Access, RegistryKind
from services.replication.domain.task import Fault
from services.replication.errors import AttemptFailed
from services.replication.local import local_end
from services.replication.remote.adapters.harbor import HarborCatalogue, over
from services.replication.remote.transport import Body
from shared.names import Digest, TagName
from shared.registry.transport import UnixPool
from shared.secrets import Secret
from tests.clients.images import make_image
from tests.factories import PASSWORD, user
from tests.integration.conftest import Database
from tests.integration.metadata.conftest import Catalogue
from tests.integration.registry_rig import RegistryServer, Tokens
from tests.integration.remote_rig import push


class ApiSocket:
    """A way to the core mount's socket, as the proxy has."""

    def __init__(self, socket: Path) -> None:
        self._pool = UnixPool(socket)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, patience: float = 30
    ) -> BaseHTTPResponse:
        parsed = urlsplit(url)
        path = f"{parsed.path}{f'?{parsed.query}' if parsed.query else ''}"
        return self._pool.urlopen(
            method, path, body=body, headers=headers, timeout=Timeout(connect=patience, read=patience),
            redirect=False, preload_content=False, decode_content=False,
        )  # fmt: skip


@pytest.fixture
def target(database: Database, gate: Path) -> HarborCatalogue:
    name = f"copier{token_hex(4)}"
    with database.superuser() as connection:
        user(connection, name, admin=True)
    access = Access(
        kind=RegistryKind.HARBOR, url="http://registry.test", access_key=name, access_secret=Secret(PASSWORD)
    )
    return over(access, ApiSocket(gate))


def test_a_project_is_made_listed_filled_and_emptied(
    target: HarborCatalogue,
    database: Database,
    registry: RegistryServer,
    tokens: Tokens,
    gate: Path,
    catalogue: Catalogue,
) -> None:
    project = f"team-{token_hex(4)}"
    repository, image = f"{project}/a/app", make_image(project)
    for _ in range(2):
        target.prepare(repository, public=True)
    with database.superuser() as connection:
        row = connection.execute("SELECT public FROM core.projects WHERE name = %s", (project,)).fetchone()
    assert row == (True,)
    assert list(target.repositories(f"{project}/")) == []
    settings = database.settings(
        "replication", registry_socket=registry.socket, token_socket=tokens.socket, core_socket=gate
    )
    local = local_end(settings)
    for tag in ("v1", "v2"):
        push(local, repository, tag, image)
    catalogue.observe(repository, "v1", "v2", image.digest)
    assert list(target.repositories(project[:6])).count(repository) == 1
    [found] = target.artifacts(repository)
    assert (sorted(found.tags), found.digest) == (["v1", "v2"], image.digest)
    target.end.delete_tag(repository, TagName("v1"))
    target.end.delete_tag(repository, TagName("v1"))
    assert local.tags(repository) == ["v2"]
    target.end.delete_manifest(repository, Digest(image.digest))
    assert local.tags(repository) == []
    assert list(target.artifacts(f"{project}/nothing")) == []


def test_a_wrong_password_is_denied(gate: Path) -> None:
    access = Access(
        kind=RegistryKind.HARBOR, url="http://registry.test", access_key="nobody", access_secret=Secret("wrong")
    )
    with pytest.raises(AttemptFailed) as failed:
        over(access, ApiSocket(gate)).prepare("new/app", public=True)
    assert failed.value.fault is Fault.DENIED


