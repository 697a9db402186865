"""The registry with its real token mount and keys, and somebody who pushes to it, for integration tests."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet

from services.token.commands import Issuer
from services.token.domain import Access
from services.token.keys import ensure
from services.token.signing import CurrentSigner
from shared.registry.client import RegistryClient
from shared.registry.tokens import SystemTokens
from shared.registry.transport import UnixPool, read_limited
from shared.secrets import Secret
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE
from tests.bench.cpu import descendants
from tests.clients.images import ACCEPTED, Blob, Image, Index
from tests.integration.broker import CHECKOUT
from tests.servers import Postgres, _accepts, short_folder, stand_still, stop, wait_for


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Keys, the bundle the registry reads, and the token mount's socket."""

    home: Path
    socket: Path
    bundle: Path
    credential: Secret = field(repr=False)

    def issuer(self, *, lifetime: timedelta = timedelta(minutes=5)) -> Issuer:
        signer = CurrentSigner(self.home / "secrets" / "token" / "signing")
        return Issuer(signer=signer, issuer=TOKEN_ISSUER, audience=TOKEN_SERVICE, lifetime=lifetime)

    def issue(self, subject: str, scope: dict[str, str], *, lifetime: timedelta = timedelta(minutes=5)) -> str:
        """A token as the mount would sign it: repository → actions."""
        access = tuple(
            Access(type="repository", name=name, actions=tuple(actions.split(","))) for name, actions in scope.items()
        )
        return self.issuer(lifetime=lifetime).issue(subject, access, datetime.now(UTC)).token

    def system(self, service: str = "metadata") -> SystemTokens:
        return SystemTokens(self.socket, service, self.credential)


@contextmanager
def token_mount(server: Postgres) -> Iterator[Tokens]:
    """The token mount under gunicorn, as it runs in an instance: one a server, whoever asks for it first."""
    secrets_folder, socket = server.home / "secrets", server.run / "token.sock"
    signing, bundle = secrets_folder / "token" / "signing", secrets_folder / "registry" / "bundle.pem"
    if _accepts(socket):
        credential = Secret((secrets_folder / "metadata" / "system-credential").read_text())
        yield Tokens(home=server.home, socket=socket, bundle=bundle, credential=credential)
        return
    signing.mkdir(parents=True, exist_ok=True)
    ensure(signing, bundle, datetime.now(UTC))
    credential = Secret(secrets.token_urlsafe(24))
    digest = sha256(credential.reveal().encode()).hexdigest()
    (secrets_folder / "token" / "system-credentials.json").write_text(
        json.dumps(dict.fromkeys(("metadata", "replication"), digest))
    )
    for part in ("metadata", "core", "replication"):
        (secrets_folder / part / "system-credential").write_text(credential.reveal())
    if not (secrets_folder / "config-key").exists():
        (secrets_folder / "config-key").write_bytes(Fernet.generate_key())
    environment = {
        "BREAKWATER_HOME": str(server.home),
        "BREAKWATER_RUN": str(server.run),
        "BREAKWATER_PART": "token",
        "BREAKWATER_DATABASE_PORT": str(server.port),
        "BREAKWATER_DATABASE_NAME": "postgres",
    }
    with (server.home / "token.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "python:compose.conf.gunicorn", "-k", "asgi", "-w", "1",
             "-b", f"unix:{socket}", "gateway.token.app:application()"],
            cwd=CHECKOUT, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        wait_for(lambda: _accepts(socket), seconds=30, what="the token mount answers")
        yield Tokens(home=server.home, socket=socket, bundle=bundle, credential=credential)
    finally:
        stop(process)


class RegistryServer:
    """A registry that can be killed and started again on the same storage."""

    def __init__(self, home: Path, tokens: Tokens, *, notifications: str | None, notification_token: str) -> None:
        self.home = home
        self.socket = home / "registry.sock"
        config = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.storage)}, "delete": {"enabled": True}},
            "http": {"addr": str(self.socket), "net": "unix", "secret": secrets.token_hex(16)},
            "auth": {
                "token": {
                    "realm": "http://127.0.0.1/auth/token",
                    "service": TOKEN_SERVICE,
                    "issuer": TOKEN_ISSUER,
                    "rootcertbundle": str(tokens.bundle),
                }
            },
            "validation": {"manifests": {"urls": {"allow": ["^(?i)https?://"]}}},
        }
        if notifications:
            endpoint = {
                "name": "intake", "url": notifications, "timeout": "2s", "threshold": 5, "backoff": "1s",
                "headers": {"Authorization": [f"Bearer {notification_token}"]},
                "ignoredmediatypes": ["application/octet-stream"],
            }  # fmt: skip
            config["notifications"] = {"endpoints": [endpoint]}
        (home / "config.yml").write_text(json.dumps(config))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def storage(self) -> Path:
        return self.home / "data"

    def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", self.home / "config.yml"],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, cwd=self.home,
            )  # fmt: skip
        wait_for(lambda: _accepts(self.socket), seconds=20, what="the registry answers")

    def kill(self) -> None:
        """As kill -9 does: what it had not notified is lost."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections, and answers nothing until the end of the block."""
        assert self._process is not None
        stand_still(*descendants(self._process.pid))
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None

    def client(self, tokens: Tokens) -> RegistryClient:
        return RegistryClient(self.socket, tokens.system())

    def lose_content(self, digest: str) -> None:
        """As a power cut does: the file is there, and empty. The registry answers 500 to whoever asks for it."""
        self.blob_file(digest).write_bytes(b"")

    def blob_file(self, digest: str) -> Path:
        digits = digest.removeprefix("sha256:")
        return self.storage / "docker/registry/v2/blobs/sha256" / digits[:2] / digits / "data"

    def lay_schema_1(self, repository: str, tag: str) -> None:
        """A manifest of the first form, as old storages hold it and no client pushes it any more."""
        content = json.dumps({"schemaVersion": 1, "name": repository, "tag": tag, "signatures": []}).encode()
        digest = sha256(content).hexdigest()
        self.blob_file(digest).parent.mkdir(parents=True)
        self.blob_file(digest).write_bytes(content)
        folder = self.storage / "docker/registry/v2/repositories" / repository
        (folder / "_layers").mkdir(parents=True)
        for place in (f"revisions/sha256/{digest}", f"tags/{tag}/current", f"tags/{tag}/index/sha256/{digest}"):
            link = folder / "_manifests" / place / "link"
            link.parent.mkdir(parents=True)
            link.write_text(f"sha256:{digest}")


@contextmanager
def registry_server(
    tokens: Tokens, *, notifications: str | None = None, notification_token: str = ""
) -> Iterator[RegistryServer]:
    """Started; stopped at the end."""
    with short_folder() as home:
        server = RegistryServer(home, tokens, notifications=notifications, notification_token=notification_token)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Pusher:
    """Somebody with a client, who speaks to a unix socket: the registry's own, or the gate's for manifests."""

    tokens: Tokens
    socket: Path
    gate: Path | None = None
    subject: str = "alice"

    def __post_init__(self) -> None:
        self._blobs = UnixPool(self.socket, maxsize=32)
        self._manifests = UnixPool(self.gate or self.socket, maxsize=32)

    def push(self, repository: str, reference: str, made: Image | Index) -> Answer:
        images = made.images if isinstance(made, Index) else (made,)
        for image in images:
            for blob in image.blobs:
                self.push_blob(repository, blob)
            if isinstance(made, Index):
                assert self.put_manifest(repository, image.digest, image.manifest).status == 201
        answer = self.put_manifest(repository, reference, made.manifest)
        assert answer.status == 201, answer
        return answer

    def push_blob(self, repository: str, blob: Blob) -> None:
        begun = self.send("POST", f"/v2/{repository}/blobs/uploads/", repository, "pull,push")
        assert begun.status == 202, begun
        location = begun.headers["location"].partition("/v2/")[2]
        headers = {"Content-Type": "application/octet-stream"}
        path = f"/v2/{location}&digest={blob.digest}"
        done = self.send("PUT", path, repository, "pull,push", body=blob.content, headers=headers)
        assert done.status == 201, done

    def mount(self, repository: str, blob: Blob, source: str) -> Answer:
        token = self.tokens.issue(self.subject, {repository: "pull,push", source: "pull"})
        path = f"/v2/{repository}/blobs/uploads/?mount={blob.digest}&from={source}"
        return self.send("POST", path, repository, "", token=token)

    def put_manifest(self, repository: str, reference: str, manifest: Blob, **options: str) -> Answer:
        headers = {"Content-Type": manifest.media_type}
        path = f"/v2/{repository}/manifests/{reference}"
        return self.send("PUT", path, repository, "pull,push", body=manifest.content, headers=headers, **options)

    def get_manifest(self, repository: str, reference: str) -> Answer:
        headers = {"Accept": ", ".join(ACCEPTED)}
        return self.send("GET", f"/v2/{repository}/manifests/{reference}", repository, "pull", headers=headers)

    def delete(self, repository: str, reference: str) -> Answer:
        return self.send("DELETE", f"/v2/{repository}/manifests/{reference}", repository, "delete")

    def send(
        self,
        method: str,
        path: str,
        repository: str,
        actions: str,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        written = method in {"PUT", "DELETE"} and "/manifests/" in path
        bearer = token if token is not None else self.tokens.issue(self.subject, {repository: actions})
        sent = {"User-Agent": "pusher/1", "Host": "registry.test", **(headers or {})}
        if bearer:
            sent["Authorization"] = f"Bearer {bearer}"
        pool = self._manifests if written else self._blobs
        response = pool.ask(method, path, sent, body)
        content = read_limited(response, 16 * 2**20, "the answer")
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=content,
        )
