"""The settings of a process: the one module that reads the environment.

Every variable begins with BREAKWATER_. Secrets are files below the secrets folder, never variables.
"""

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Meta, Struct, ValidationError, convert

from shared.errors import ConfigurationError
from shared.replicas import numbered
from shared.runfolder import RunFolder
from shared.secrets import Secret

if TYPE_CHECKING:
    from shared.registry.bucket import Bucket

PREFIX = "BREAKWATER_"
TOKEN_ISSUER = "breakwater-token"  # noqa: S105 - the issuer's name, no secret
TOKEN_SERVICE = "breakwater-registry"  # noqa: S105 - the audience's name, no secret
_NODE = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_LAST_PORT = 65_535
AMQP_PORT, AMQPS_PORT = 5672, 5671
CLOCK_LEEWAY = timedelta(seconds=60)
S3_KEYS = {"access_key": "s3-access-key", "secret_key": "s3-secret-key"}
"""The keys of a bucket, and the files among the registry's secrets that hold them."""


Port = Annotated[int, Meta(ge=1, le=_LAST_PORT)]


class HttpUrl(str):
    """An http or https URL with a host. Raises ValueError."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Check it."""
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("it has to be an http or https URL")
        return super().__new__(cls, text)


class Networks(tuple[IPv4Network | IPv6Network, ...]):
    """Networks in CIDR form, written with commas between them."""

    __slots__ = ()

    @classmethod
    def read(cls, written: str | Iterable[str | IPv4Network | IPv6Network]) -> Self:
        """Read them. Raises ValueError."""
        parts = filter(None, map(str.strip, written.split(","))) if isinstance(written, str) else written
        return cls(map(ip_network, parts))


class Settings(RunFolder, Struct, frozen=True, kw_only=True, dict=True):
    """What one process needs to know of its instance. msgspec reads it: pydantic would take 6 MB in each process."""

    home: Path
    run: Path
    part: str = "owner"
    replica: Annotated[int, Meta(ge=1)] = 1
    replicas: Annotated[int, Meta(ge=1)] = 1
    pods: Annotated[int, Meta(ge=1)] = 1
    bind: str = "127.0.0.1"
    port: Port = 8080
    url: HttpUrl | None = None
    public_certificate: Path | None = None
    database_host: str = ""
    database_port: Port = 5432
    database_name: str = "breakwater"
    database_authorities: Path | None = None
    amqp_host: str = "127.0.0.1"
    amqp_port: Port = 5672
    amqp_nodes: str = ""
    amqp_vhost: str = "/"
    amqp_users: str = ""
    amqp_authorities: Path | None = None
    intake_host: str = "127.0.0.1"
    intake_port: Port = 5001
    registry_socket: Path | None = None
    token_socket: Path | None = None
    core_socket: Path | None = None
    log_socket: Path | None = None
    registry_storage: Path | None = None
    s3_bucket: str = ""
    s3_region: str = "us-east-1"
    s3_endpoint: str = ""
    s3_prefix: str = ""
    assets_folder: Path | None = None
    disk_reserve_percent: Annotated[float, Meta(ge=0, le=50)] = 5
    disk_reserve_bytes: Annotated[int, Meta(ge=0)] = 2**30
    token_lifetime_seconds: Annotated[int, Meta(ge=60, le=3600)] = 300
    outbound_allow: Networks = Networks()
    log_level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$")] = "info"
    traces_endpoint: HttpUrl | None = None
    traces_ratio: Annotated[float, Meta(ge=0, le=1)] = 1

    @property
    def secrets(self) -> Path:
        """The folder of secret files."""
        return self.home / "secrets"

    @property
    def database_folder(self) -> str:
        """The database's host, or the folder of its socket."""
        return self.database_host or str(self.run)

    @cached_property
    def instance_id(self) -> UUID:
        """Made at first start; the namespace of deterministic event ids."""
        try:
            return UUID(self.home.joinpath("instance-id").read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self.home}/instance-id does not hold this instance's id") from error

    @property
    def token_lifetime(self) -> timedelta:
        """How long a registry token lives."""
        return timedelta(seconds=self.token_lifetime_seconds)

    @property
    def registry(self) -> Path:
        """The socket of the registry itself."""
        return self.registry_socket or self.run / "registry.sock"

    @property
    def storage(self) -> Path:
        """The folder of the registry's storage, whose disk is watched."""
        return self.registry_storage or self.home / "registry"

    @property
    def assets(self) -> Path:
        """The folder of the portal's files that others wrote."""
        return self.assets_folder or self.home / "assets"

    @property
    def registry_control(self) -> Path:
        """The socket of the registry's parent, which collects garbage."""
        return self.run / "registryctl.sock"

    @property
    def token_mounts(self) -> tuple[Path, ...]:
        """The sockets of the token mount, any of which will do, for tokens of the system's own services."""
        return (self.token_socket,) if self.token_socket else self._sockets("token")

    @property
    def core_mounts(self) -> tuple[Path, ...]:
        """The sockets of the API and of the gate on manifest writes."""
        return (self.core_socket,) if self.core_socket else self._sockets("core")

    @property
    def stream_mounts(self) -> tuple[Path, ...]:
        """The sockets of the live stream."""
        return self._sockets("stream")

    def _sockets(self, name: str) -> tuple[Path, ...]:
        return tuple(self.run / f"{numbered(name, number)}.sock" for number in range(1, self.replicas + 1))

    @property
    def ready_note(self) -> Path:
        """Where a service says that it has begun its work."""
        return self.run / f"{numbered(self.part, self.replica)}.ready"

    def secret(self, name: str) -> Secret:
        """A secret of this process's part. Raises ConfigurationError where it cannot be read."""
        return Secret.read(self.secrets / self.part / name)

    def stored(self) -> "Path | Bucket":
        """Where the registry's storage can be looked at: for the owner, who may read the keys of a bucket.

        Raises ConfigurationError where they cannot be read.
        """
        if not self.s3_bucket:
            return self.storage
        from shared.registry.bucket import Bucket  # noqa: PLC0415 - HTTP and XML, which no other part is to carry

        keys = {name: Secret.read(self.secrets / "registry" / file).reveal() for name, file in S3_KEYS.items()}
        return Bucket(
            name=self.s3_bucket, region=self.s3_region, endpoint=self.s3_endpoint, prefix=self.s3_prefix, **keys
        )

    def conninfo(self) -> dict[str, str | int]:
        """Keyword arguments for psycopg: this part's role, with time-outs."""
        info: dict[str, str | int] = {
            "host": self.database_folder,
            "port": self.database_port,
            "dbname": self.database_name,
            "user": f"breakwater_{self.part}",
            "password": self.secret("database-password").reveal(),
            "application_name": f"breakwater {self.part}",
            "connect_timeout": 3,
        }
        return info | tls_to_database(self.database_authorities)

    @property
    def brokers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each node of the broker, any of which will do."""
        if not self.amqp_nodes:
            return ((self.amqp_host, self.amqp_port),)
        return broker_nodes(self.amqp_nodes, AMQPS_PORT if self.amqp_authorities else AMQP_PORT)

    @property
    def amqp_user(self) -> str:
        """This part's user on the broker."""
        return f"{self.amqp_users}{self.part}"


NEEDED = ("home", "run")


def broker_nodes(text: str, port: int) -> tuple[tuple[str, int], ...]:
    """Hosts and ports out of `HOST[:PORT]`, with commas; `port` is that of a host without one. Raises ValueError."""
    found = []
    for node in filter(None, map(str.strip, text.split(","))):
        match = _NODE.fullmatch(node)
        if match is None or not 0 < int(match["port"] or port) <= _LAST_PORT:
            raise ValueError("a broker is HOST or HOST:PORT, several with commas")
        found.append((match["host"].strip("[]"), int(match["port"] or port)))
    return tuple(found)


def load_settings(**overrides: object) -> Settings:
    """Read the environment, in which an empty variable says nothing; overrides are read as variables are.

    Raises ConfigurationError with one sentence that names the setting.
    """
    said = {name: os.environ.get(f"{PREFIX}{name.upper()}", "") for name in Settings.__struct_fields__}
    values = {name: value for name, value in said.items() if value} | overrides
    try:
        return convert(values, Settings, strict=False, dec_hook=_read)
    except ValidationError as error:
        reason, _, place = str(error).partition(" - at `$.")
        name = place.rstrip("`") or next((name for name in NEEDED if name not in values), "")
        raise ConfigurationError(f"{PREFIX}{name.upper()} is not valid: {reason}") from error


def _read(kind: Any, value: Any) -> Any:  # noqa: ANN401 - as msgspec calls it
    """What msgspec knows no reading of."""
    if isinstance(value, kind):
        return value
    return Networks.read(value) if kind is Networks else kind(value)


def tls_to_database(authorities: Path | None) -> dict[str, str | int]:
    """What psycopg needs to have a database prove its name; without authorities nothing is asked of it."""
    return {"sslmode": "verify-full", "sslrootcert": str(authorities)} if authorities else {}


def announce(values: Mapping[str, str], *, all_of_them: bool = False) -> None:
    """Put settings into this process's environment, for the code it calls and for the processes it starts.

    Where these are all of them, what else was said is taken back.
    """
    if all_of_them:
        for name in Settings.__struct_fields__:
            os.environ.pop(f"{PREFIX}{name.upper()}", None)
    os.environ.update(values)
