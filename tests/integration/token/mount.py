"""A running token mount, its client, and what a token says."""

import hashlib
import json
import os
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
from cryptography import x509
from cryptography.fernet import Fernet
from urllib3.exceptions import HTTPError

from services.token.keys import ensure
from shared.registry.transport import UnixPool
from shared.settings import TOKEN_ISSUER, TOKEN_SERVICE, Settings
from tests.factories import PASSWORD
from tests.integration.conftest import Database
from tests.servers import short_folder, start, stop, wait_for

SYSTEM_CREDENTIAL = "a-system-credential"
HERE = "192.0.2.10"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """What the mount answered."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever JSON holds
        return json.loads(self.text)

    @property
    def token(self) -> str:
        assert self.status == 200, self.text
        return str(self.json["token"])

    @property
    def code(self) -> str:
        """The registry's error code of a refusal."""
        (error,) = self.json["errors"]
        return str(error["code"])

    @property
    def claims(self) -> Mapping[str, Any]:
        """The verified claims of the token."""
        leaf = x509.load_der_x509_certificate(b64decode(jwt.get_unverified_header(self.token)["x5c"][0]))
        decoded: Mapping[str, Any] = jwt.decode(
            self.token, leaf.public_key(), ["ES256"], audience=TOKEN_SERVICE, issuer=TOKEN_ISSUER
        )
        return decoded

    @property
    def granted(self) -> Sequence[tuple[str, set[str]]]:
        """Each name of the access list with its actions."""
        return [(entry["name"], set(entry["actions"])) for entry in self.claims["access"]]


@dataclass(frozen=True)
class Mount:
    """The token mount as clients use it."""

    socket: Path
    settings: Settings
    database: Database
    process: "subprocess.Popen[bytes]" = field(repr=False)
    log: Path
    pool: UnixPool = field(repr=False)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.pool.urlopen(method, path, body=body, headers=named)
        return Answer(response.status, response.headers, response.data.decode())

    def get(
        self,
        name: str | None = None,
        *scopes: str,
        password: str = PASSWORD,
        address: str = HERE,
        path: str = "/auth/token",
        **parameters: str,
    ) -> Answer:
        """GET with Basic, or anonymous without a name."""
        query = urlencode([*({"service": TOKEN_SERVICE} | parameters).items(), *(("scope", scope) for scope in scopes)])
        headers = {"X-Forwarded-For": address, "User-Agent": "docker/28.2.2"}
        if name is not None:
            headers["Authorization"] = basic(name, password)
        return self.send("GET", f"{path}?{query}", **headers)

    def post(self, *, address: str = HERE, **form: str) -> Answer:
        """POST of the OAuth2 form."""
        body = urlencode({"service": TOKEN_SERVICE, "client_id": "docker"} | form).encode()
        kind = "application/x-www-form-urlencoded"
        return self.send("POST", "/auth/token", body, **{"X-Forwarded-For": address, "Content-Type": kind})

    def actions(self, name: str | None, scope: str, *, password: str = PASSWORD) -> set[str]:
        """What a token for one scope grants."""
        ((_, actions),) = self.get(name, scope, password=password).granted
        return actions

    def events(self, type_: str) -> list[dict[str, Any]]:
        """The events of a type in the outbox, oldest first."""
        with self.database.superuser() as connection:
            found = connection.execute(
                "SELECT body FROM events.outbox WHERE type = %s ORDER BY id", (f"breakwater.{type_}.v1",)
            ).fetchall()
        return [row[0] for row in found]

    def healthy(self) -> bool:
        try:
            return self.send("GET", "/readyz").status == 200
        except HTTPError:
            return False


def basic(name: str, password: str = PASSWORD) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def prepare_secrets(settings: Settings) -> None:
    """Keys and credentials as the set-up of an instance makes them."""
    key = settings.secrets / "config-key"
    if not key.exists():
        key.write_text(Fernet.generate_key().decode() + "\n")
    ensure(signing(settings), bundle(settings), datetime.now(UTC))
    digest = hashlib.sha256(SYSTEM_CREDENTIAL.encode()).hexdigest()
    (settings.secrets / "token" / "system-credentials.json").write_text(json.dumps({"metadata": digest}))


def signing(settings: Settings) -> Path:
    return settings.secrets / "token" / "signing"


def bundle(settings: Settings) -> Path:
    return settings.secrets / "registry" / "bundle.pem"


@contextmanager
def token_mount(
    settings: Settings, database: Database, *, workers: int = 1, variables: Mapping[str, str] | None = None
) -> Iterator[Mount]:
    """The mount under gunicorn on a socket of its own."""
    with short_folder() as folder:
        socket, log = folder / "token.sock", folder / "log"
        environment = os.environ | {
            "BREAKWATER_HOME": str(settings.home),
            "BREAKWATER_RUN": str(settings.run),
            "BREAKWATER_PART": "token",
            "BREAKWATER_DATABASE_PORT": str(settings.database_port),
            "BREAKWATER_DATABASE_NAME": settings.database_name,
            "BREAKWATER_OUTBOUND_ALLOW": ",".join(map(str, settings.outbound_allow)),
            **(variables or {}),
        }
        command = [
            sys.executable, "-m", "gunicorn", "-c", "python:compose.conf.gunicorn",
            "-k", "gateway.worker.SharingWorker", "-w", str(workers), "--preload", "-b", f"unix:{socket}",
            "gateway.token.app:application()",
        ]  # fmt: skip
        process = start(command, log=log, environment=environment, cwd=ROOT)
        mount = Mount(socket, settings, database, process, log, UnixPool(socket, maxsize=64))
        try:
            wait_for(mount.healthy, seconds=30, what=f"the token mount answers (its log: {log.read_text()})")
            yield mount
        finally:
            stop(process)
