"""Other registries for tests, and what is done with them through the client."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from services.replication.domain.registry import Access, RegistryKind
from services.replication.ends import Catalogue, Content, End, Opener
from services.replication.remote import connect
from shared.names import Digest, parse_reference
from shared.outbound import Guard, Reach
from shared.registry.manifests import Descriptor
from shared.secrets import Secret
from tests.clients.images import Blob, Image, Index
from tests.servers import free_port, short_folder, start, stop, wait_for

GUARD = Guard(Reach.PRIVATE, [ip_network("127.0.0.0/8")])


def catalogue(url: str, kind: RegistryKind = RegistryKind.DOCKER_REGISTRY, **more: object) -> Catalogue:
    secret = more.pop("access_secret", None)
    values = {"access_secret": Secret(str(secret)) if secret else None, **more}
    return connect(Access(kind=kind, url=url, **values), GUARD)  # type: ignore[arg-type]


def opener(content: bytes) -> Opener:
    """A source at hand."""

    @contextmanager
    def opened(offset: int) -> Iterator[io.BytesIO]:
        yield io.BytesIO(content[offset:])

    return opened


def descriptor(blob: Blob) -> Descriptor:
    return Descriptor(media_type=blob.media_type, digest=Digest(blob.digest), size=len(blob.content))


def put(end: End, repository: str, blob: Blob, *, chunk: int | None = None) -> int:
    """Send it; the bytes that went over the wire."""
    sent: list[int] = []
    end.put_blob(repository, descriptor(blob), opener(blob.content), chunk=chunk, sent=sent.append)
    return sum(sent)


def mounted(end: End, repository: str, blob: Blob, source: str) -> bool:
    """Have a repository hold what another one may hold; whether nothing had to be sent."""
    return not end.put_blob(
        repository, descriptor(blob), opener(blob.content), chunk=None, sent=lambda _amount: None, held_by=source
    )


def push(end: End, repository: str, reference: str, made: Image | Index) -> None:
    """Blobs, children, and the manifest."""
    for image in made.images if isinstance(made, Index) else (made,):
        for blob in image.blobs:
            put(end, repository, blob)
        if isinstance(made, Index):
            end.put_manifest(repository, Digest(image.digest), content(image.manifest))
    end.put_manifest(repository, parse_reference(reference), content(made.manifest))


def content(blob: Blob) -> Content:
    return Content(digest=Digest(blob.digest), media_type=blob.media_type, body=blob.content)


def whole(end: End, repository: str, digest: str, offset: int = 0) -> bytes:
    """A blob, read to its end."""
    found = io.BytesIO()
    with end.open_blob(repository, Digest(digest), offset) as stream:
        while piece := stream.read(50_000):
            found.write(piece)
    return found.getvalue()


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A registry of others: distribution, as Debian has it."""

    url: str
    storage: Path


@contextmanager
def distribution(*, host: str = "127.0.0.1", **auth: object) -> Iterator[Plain]:
    """On loopback unless it is to be reached from containers."""
    with short_folder() as home:
        port = free_port()
        config = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(home / "data")}, "delete": {"enabled": True}},
            "http": {"addr": f"{host}:{port}", "secret": "s"},
            **({"auth": auth} if auth else {}),
        }
        (home / "config.yml").write_text(json.dumps(config))
        process = start(["docker-registry", "serve", home / "config.yml"], log=home / "log")
        try:
            wait_for(lambda: _takes(host, port), seconds=20, what="the registry answers")
            yield Plain(url=f"http://{host}:{port}", storage=home / "data")
        finally:
            stop(process)


def _takes(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True
