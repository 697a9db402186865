"""What a person may set for a local instance: the environment first, then what an earlier `up` was told, then defaults.

An instance is known by its home. What it was once started with is remembered there, so that `up`, `status` and
`service` mean the same instance whether or not the variables are set again.
"""

import json
import os
import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AnyHttpUrl,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import ConfigurationError
from shared.settings import AMQP_PORT, broker_nodes

CHECKOUT = Path(__file__).resolve().parents[2]
REMEMBERED = "settings.json"
_COLLECTOR = re.compile(r"(tcp|udp)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})", re.ASCII)
_LAST_PORT = 65535
_FEWEST_WORKERS = 2
_MOST_WORKERS = 8
MEMORY_OF_A_DOWNLOAD = 6 * 2**20
"""Bytes: what the registry holds in memory of a layer that it sends, and a fifth for all else."""
_FEWEST_DOWNLOADS = 64
_MOST_DOWNLOADS = 10_000
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}", re.ASCII)
_PREFIX = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}", re.ASCII)
_VHOST = re.compile(r"[A-Za-z0-9._/-]{1,64}", re.ASCII)
_USERS = re.compile(r"[A-Za-z0-9._-]{0,32}", re.ASCII)
_KEY = re.compile(r"[!-~]{1,256}", re.ASCII)
_S3_FORMS = {
    "s3_bucket": (_BUCKET, "a bucket is 3 to 63 small letters, digits, dots and hyphens"),
    "s3_region": (_REGION, "a region is letters, digits and hyphens"),
    "s3_prefix": (_PREFIX, "a prefix is a path of letters, digits and . _ - without a slash at either end"),
}


def _nothing_if_empty(value: object) -> object:
    return None if value == "" else value


class Options(BaseSettings):
    """The settings of an instance as a whole. An empty variable takes an optional setting back."""

    model_config = SettingsConfigDict(env_prefix="BREAKWATER_", frozen=True, extra="ignore", hide_input_in_errors=True)

    home: Path = Field(default=CHECKOUT / "var", description="where everything lies that the instance keeps")
    bind: IPv4Address | IPv6Address = Field(
        default=IPv4Address("127.0.0.1"), description="the address the proxy listens on"
    )
    port: int = Field(
        default=8080, ge=1, le=65535, description="the port of the proxy, the only one that users see"
    )
    redirect_port: int = Field(
        default=0, ge=0, le=65535,
        description="a second port of the proxy that leads browsers from `http://` to the first, mostly 80; 0: none",
    )
    url: Annotated[AnyHttpUrl | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None,
        description="the address under which users know the registry; else it follows the host that a client used",
    )
    tls_cert: Annotated[Path | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, description="the certificate with its chain, PEM; goes with the key"
    )
    tls_key: Annotated[Path | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, description="its key, PEM, without a password"
    )
    tls_names: str = Field(
        default="",
        description="names and addresses, with commas, for which a certificate is made where none is given",
    )
    token_lifetime_seconds: int = Field(
        default=300, ge=60, le=3600, description="how long a registry token lives, 60 to 3600"
    )
    downloads: int = Field(
        default=0, ge=0, le=_MOST_DOWNLOADS,
        description="how many layers are sent at once: who asks for one more is told to try again in a moment; each"
        " takes up to 5 MB of the registry's memory; 0: 256 in containers, else as many as half of the machine's holds",
    )
    workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="processes of the token service, and of the API with the portal, each; 0: one a core, 2 to 8",
    )
    outbound_allow: str = Field(
        default="",
        description="networks in CIDR form, with commas, that webhooks, directories and other registries may be in"
        " although they are closed to them otherwise",
    )
    disk_reserve_percent: float = Field(
        default=5, ge=0, le=50, description="pushes are refused while less of the registry's disk is free"
    )
    disk_reserve_bytes: int = Field(
        default=2**30, ge=0, description="or less than so many bytes, whichever is more, of at most half the disk"
    )
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error"
    )
    log_forward: str = Field(
        default="",
        description="a collector outside that is sent every line: `tcp://HOST:PORT` or `udp://HOST:PORT`",
    )
    traces_endpoint: Annotated[AnyHttpUrl | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None,
        description="a collector of OpenTelemetry that is sent traces by OTLP over HTTP: `http://HOST:PORT`, to which"
        " `/v1/traces` is added; without one there are none",
    )
    traces_ratio: float = Field(default=1, ge=0, le=1, description="which share of the traces is sent, 0 to 1")
    registry_program: Annotated[Path | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, description="the distribution registry that is run, 2.8 or 3.x; else Debian's `docker-registry`"
    )
    s3_bucket: str = Field(
        default="",
        description="a bucket of a storage that speaks S3, in which the registry keeps the images; without one they lie"
        " below the home",
    )
    s3_region: str = Field(default="us-east-1", description="its region; storages of one's own mostly take any")
    s3_endpoint: Annotated[AnyHttpUrl | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, description="its address, `https://HOST:PORT`; else Amazon's own of that region"
    )
    s3_prefix: str = Field(
        default="", description="a folder in the bucket, such as `registry/one`; instances that share a bucket need one"
    )
    s3_access_key: Annotated[SecretStr | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, exclude=True, description="the access key that reads, writes and deletes there; kept as a secret"
    )
    s3_secret_key: Annotated[SecretStr | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, exclude=True, description="its secret key; kept as a secret"
    )
    database_host: str = Field(
        default="",
        description="the name or address of a PostgreSQL outside, 15 or newer, that is used instead of one of its own",
    )
    database_port: int = Field(default=5432, ge=1, le=65535, description="its port")
    database_name: str = Field(
        default="breakwater", description="the database there: an empty one, or none yet where its owner may make it"
    )
    database_owner: str = Field(
        default="", description="who owns that database and may make roles (CREATEROLE); no superuser is needed"
    )
    database_owner_password: Annotated[SecretStr | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, exclude=True, description="the owner's password; kept as a secret"
    )
    database_ca: Annotated[Path | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None,
        description="certificates of authorities, PEM: the database has to prove its name by one of them (verify-full)",
    )
    amqp_host: str = Field(
        default="",
        description="a RabbitMQ outside, 3.10 or newer, that is used instead of one of its own: `HOST[:PORT]`, the"
        " nodes of a cluster with commas",
    )
    amqp_vhost: str = Field(default="/", description="the virtual host there, which belongs to this instance alone")
    amqp_users: str = Field(
        default="breakwater-",
        description="what the names of its users begin with there: instances of one cluster need different ones",
    )
    amqp_ca: Annotated[Path | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None,
        description="certificates of authorities, PEM: TLS is spoken, and a node has to prove its name by one of them",
    )
    command: Path = Field(default=CHECKOUT / "breakwater", exclude=True)
    """The script that people call; it tells, as the code may run from a copy that the parts can reach."""
    admin_password: Annotated[SecretStr | None, BeforeValidator(_nothing_if_empty)] = Field(
        default=None, exclude=True, description="the administrator's first password; else one is made at first start"
    )

    @field_validator("outbound_allow")
    @classmethod
    def _networks(cls, value: str) -> str:
        for network in filter(None, map(str.strip, value.split(","))):
            ip_network(network)
        return value

    @field_validator("tls_names")
    @classmethod
    def _names(cls, value: str) -> str:
        for name in filter(None, map(str.strip, value.split(","))):
            if not _HOST.fullmatch(name):
                ip_address(name)
        return value

    @field_validator("log_forward")
    @classmethod
    def _collector(cls, value: str) -> str:
        """It becomes a part of a configuration: nothing else may."""
        match = _COLLECTOR.fullmatch(value)
        if value and (match is None or not 0 < int(match["port"]) <= _LAST_PORT):
            raise ValueError("a collector is tcp://HOST:PORT or udp://HOST:PORT")
        return value

    @field_validator("s3_bucket", "s3_region", "s3_prefix")
    @classmethod
    def _places(cls, value: str, info: ValidationInfo) -> str:
        """They become parts of a configuration and of paths: nothing else may."""
        form, words = _S3_FORMS[info.field_name or ""]
        if value and not form.fullmatch(value):
            raise ValueError(words)
        return value

    @field_validator("database_host")
    @classmethod
    def _server(cls, value: str) -> str:
        if value and not _HOST.fullmatch(value):
            ip_address(value)
        return value

    @field_validator("amqp_host")
    @classmethod
    def _brokers(cls, value: str) -> str:
        broker_nodes(value, AMQP_PORT)
        return value

    @field_validator("amqp_vhost", "amqp_users")
    @classmethod
    def _of_the_broker(cls, value: str, info: ValidationInfo) -> str:
        form = _VHOST if info.field_name == "amqp_vhost" else _USERS
        if not form.fullmatch(value):
            raise ValueError("it is letters, digits and . _ - with a / where a virtual host has one")
        return value

    @field_validator("database_name", "database_owner")
    @classmethod
    def _identifier(cls, value: str, info: ValidationInfo) -> str:
        if not _IDENTIFIER.fullmatch(value) and (value or info.field_name == "database_name"):
            raise ValueError("a name is 1 to 63 letters, digits and _ - and begins with a letter or _")
        return value

    @field_validator("s3_access_key", "s3_secret_key")
    @classmethod
    def _one_word(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _KEY.fullmatch(value.get_secret_value()):
            raise ValueError("a key is one word of printable characters")
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _no_key(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        """It is remembered and shown."""
        if value is not None and (value.username or value.password or value.query or value.fragment):
            raise ValueError("a storage is http://HOST:PORT or https://HOST:PORT, without a password or a query")
        return value

    @field_validator("traces_endpoint")
    @classmethod
    def _no_secret(cls, value: AnyHttpUrl | None) -> AnyHttpUrl | None:
        """It is remembered and shown like any other."""
        if value is not None and (value.username or value.password or value.query or value.fragment):
            raise ValueError("a collector is http://HOST:PORT or https://HOST:PORT, without a password or a query")
        return value

    @model_validator(mode="after")
    def _certificate_and_key_belong_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("BREAKWATER_TLS_CERT and BREAKWATER_TLS_KEY belong together: set both or none")
        return self

    @model_validator(mode="after")
    def _redirect_leads_to_tls(self) -> Self:
        if self.redirect_port and not self.tls:
            raise ValueError("BREAKWATER_REDIRECT_PORT leads to TLS: set BREAKWATER_TLS_CERT or BREAKWATER_TLS_NAMES")
        if self.redirect_port == self.port:
            raise ValueError("BREAKWATER_REDIRECT_PORT and BREAKWATER_PORT are two ports: give them different numbers")
        return self

    @property
    def processes(self) -> int:
        """How many processes each of those has."""
        return self.workers or min(max(_FEWEST_WORKERS, os.cpu_count() or 1), _MOST_WORKERS)

    def layers_at_once(self, room: int) -> int:
        """How many the registry sends, which may hold so many bytes of them in memory."""
        return self.downloads or min(max(_FEWEST_DOWNLOADS, room // MEMORY_OF_A_DOWNLOAD), _MOST_DOWNLOADS)

    @property
    def names(self) -> tuple[str, ...]:
        """The names and addresses that a certificate is made for."""
        return tuple(filter(None, map(str.strip, self.tls_names.split(","))))

    @property
    def tls(self) -> bool:
        """Whether the proxy speaks TLS: with a certificate that was given, or one that is made."""
        return bool(self.tls_cert or self.names)

    @property
    def open_ports(self) -> dict[str, int]:
        """The ports that the proxy listens on, each by the variable that sets it."""
        ports = {"BREAKWATER_PORT": self.port, "BREAKWATER_REDIRECT_PORT": self.redirect_port}
        return {variable: port for variable, port in ports.items() if port}

    @property
    def local_url(self) -> str:
        """Where the proxy answers on this machine."""
        scheme = "https" if self.tls else "http"
        host = self.bind
        if host.is_unspecified:
            host = IPv4Address("127.0.0.1") if host.version == 4 else IPv6Address("::1")  # noqa: PLR2004 - IP versions
        return f"{scheme}://{f'[{host}]' if host.version == 6 else host}:{self.port}"  # noqa: PLR2004

    @property
    def public_url(self) -> str:
        """What people are told to open."""
        return str(self.url).rstrip("/") if self.url else self.local_url


def read_options(**given: object) -> Options:
    """The options in force. Raises ConfigurationError with one sentence that names the variable."""
    try:
        told = Options(**given)  # type: ignore[arg-type]  # pydantic checks them
        remembered = _remembered(told.home.absolute())
        unsaid = {name: value for name, value in remembered.items() if name not in told.model_fields_set}
        options = Options(**(given | unsaid))  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from error
    paths = {"home": options.home.absolute()} | {
        name: value.absolute()
        for name in ("tls_cert", "tls_key", "registry_program", "database_ca", "amqp_ca")
        if (value := getattr(options, name)) is not None
    }
    return options.model_copy(update=paths)


def remembered_broker(home: Path) -> str:
    """The broker outside that the instance was last started with; empty for one of its own."""
    return str(_remembered(home).get("amqp_host", ""))


def remember(options: Options) -> None:
    """Keep what differs from the defaults for the next time. The password is not among it."""
    values = options.model_dump(mode="json", exclude_defaults=True, exclude={"home"})
    options.home.joinpath(REMEMBERED).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _remembered(home: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(home.joinpath(REMEMBERED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise ConfigurationError(f"{home} is not a folder: set BREAKWATER_HOME to another") from error
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{home / REMEMBERED} cannot be read: remove it, and set them again") from error
    return values


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    if not message[:2].isupper():  # "URL scheme …" stays as it is
        message = f"{message[:1].lower()}{message[1:]}"
    return f"BREAKWATER_{str(first['loc'][0]).upper()} is not valid: {message}"
