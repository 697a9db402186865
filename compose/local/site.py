"""An instance as a whole: what its parts, its configuration and its health are derived from."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from compose.local.binaries import Binaries, find_binaries
from compose.local.layout import Layout
from compose.local.network import PORTS, Ports, kept_ports, settle_ports
from compose.local.options import Options
from shared.errors import NotFound

LOOPBACK = "127.0.0.1"
INFRASTRUCTURE = ("log", "postgres", "rabbitmq", "registry")
SERVICES = ("token", "core", "events", "intake", "relay", "audit", "metadata", "webhook", "replication")
PARTS = (*INFRASTRUCTURE, *SERVICES, "proxy")
"""The names of all parts that an instance may have."""
DATABASE = "breakwater"
"""The database in a PostgreSQL of our own."""
AUTHORITIES = "database-ca.crt"
AMQP_AUTHORITIES = "broker-ca.crt"
ROOM_IN_CONTAINER = 3 * 2**29
"""Bytes for layers that are sent, of the memory that the registry's container may take by itself."""
PORT_OF_SOCKET = 5432
"""PostgreSQL names its socket by a port; it listens on no port."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """Everything the parts of one instance are derived from."""

    layout: Layout
    options: Options
    ports: Ports
    binaries: Binaries
    python: Path
    """The interpreter of the virtual environment."""
    broker: str = LOOPBACK
    """The host where the broker is found: this one, or a container."""
    intake: str = LOOPBACK
    """The host where the registry finds the intake: this one, or a container."""
    replicas: int = 1
    """How many equal processes there are of each part in Python."""
    replica: int = 1
    """Which of them is meant, where that makes a difference."""
    brokers: tuple[str, ...] = ()
    """The hosts of all nodes of a broker that is a cluster; the first is `broker`."""
    pods: int = 1
    """How many pods there are, each with all parts and a registry: they share database, broker, bucket and secrets."""
    contained: bool = False
    """Whether each part has a container of its own: what it says and what it leaves behind is then the engine's."""

    @property
    def pod(self) -> bool:
        """Whether all of its containers share one network, as in Kubernetes."""
        return self.contained and self.broker == LOOPBACK

    @property
    def starting(self) -> str:
        """What a person types to start it."""
        return "docker compose up -d" if self.contained else "./breakwater up"

    @property
    def broker_address(self) -> str:
        """Where the broker listens: for others only where they cannot be on this host."""
        return LOOPBACK if self.broker == LOOPBACK else "0.0.0.0"  # noqa: S104 - in a container, on its own network

    @property
    def intake_address(self) -> str:
        """Where the intake listens, by the same rule."""
        return LOOPBACK if self.intake == LOOPBACK else "0.0.0.0"  # noqa: S104 - in a container, on its own network

    @property
    def database_socket(self) -> Path:
        """The folder of the database's socket: of its own where not every part may reach it."""
        return self.layout.home / "database" if self.contained else self.layout.run

    @property
    def database_host(self) -> str:
        """A server outside, or the folder of our own one's socket."""
        return self.options.database_host or str(self.database_socket)

    @property
    def database_port(self) -> int:
        """By the same rule."""
        return self.options.database_port if self.options.database_host else PORT_OF_SOCKET

    @property
    def database_name(self) -> str:
        """By the same rule."""
        return self.options.database_name if self.options.database_host else DATABASE

    @property
    def database_authorities(self) -> Path | None:
        """The authorities that a server outside is known by, where every part may read them."""
        return self.layout.conf / AUTHORITIES if self.options.database_host and self.options.database_ca else None

    @property
    def amqp_authorities(self) -> Path | None:
        """The same of a broker outside."""
        return self.layout.conf / AMQP_AUTHORITIES if self.options.amqp_host and self.options.amqp_ca else None

    @property
    def layers_at_once(self) -> int:
        """How many the registry sends. All of them have room in its memory."""
        half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        return self.options.layers_at_once(ROOM_IN_CONTAINER if self.contained else half)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its parts: a database or a broker outside is none."""
        outside = {"postgres": self.options.database_host, "rabbitmq": self.options.amqp_host}
        return tuple(part for part in PARTS if not outside.get(part))

    @property
    def log_socket(self) -> Path:
        """Where lines are taken: in a folder that the engine sees too, where it is the one that sends them."""
        return self.layout.home / "lines" / "log.sock" if self.contained else self.layout.run / "log.sock"

    @property
    def assets(self) -> Path:
        """The portal's files that others wrote: they were fetched to beside the virtual environment."""
        return self.python.parents[2] / "assets"

    @property
    def settings(self) -> dict[str, str]:
        """The environment that `shared.settings` reads, without the part's name."""
        options = self.options
        values = {
            "HOME": self.layout.home,
            "RUN": self.layout.run,
            # one alone needs neither
            "REPLICA": self.replica if self.replicas > 1 else "",
            "REPLICAS": self.replicas if self.replicas > 1 else "",
            "PODS": self.pods if self.pods > 1 else "",
            "BIND": options.bind,
            "PORT": options.port,
            "URL": options.url or "",
            "PUBLIC_CERTIFICATE": self.layout.public_certificate,
            # elsewhere it is the run folder, which every instance has its own of
            "DATABASE_HOST": self.database_host if self.contained or options.database_host else "",
            "DATABASE_PORT": self.database_port,
            "DATABASE_NAME": options.database_name if options.database_host else "",
            # not named as the setting is: that one names the operator's own file
            "DATABASE_AUTHORITIES": self.database_authorities or "",
            # elsewhere it is this host, and the variable is that of a broker outside
            "AMQP_HOST": self.broker if self.contained else "",
            "AMQP_PORT": self.ports.amqp,
            "AMQP_NODES": options.amqp_host or ",".join(self.brokers),
            "AMQP_VHOST": options.amqp_vhost if options.amqp_host else "",
            "AMQP_USERS": options.amqp_users if options.amqp_host else "",
            "AMQP_AUTHORITIES": self.amqp_authorities or "",
            "INTAKE_HOST": self.intake_address,
            "INTAKE_PORT": self.ports.intake,
            "TOKEN_LIFETIME_SECONDS": options.token_lifetime_seconds,
            "OUTBOUND_ALLOW": options.outbound_allow,
            "DISK_RESERVE_PERCENT": options.disk_reserve_percent,
            "DISK_RESERVE_BYTES": options.disk_reserve_bytes,
            "S3_BUCKET": options.s3_bucket,
            "S3_REGION": options.s3_region if options.s3_bucket else "",
            "S3_ENDPOINT": str(options.s3_endpoint or "").rstrip("/"),
            "S3_PREFIX": options.s3_prefix,
            # where a container takes them it is asked by the engine
            "LOG_SOCKET": "" if self.contained else self.log_socket,
            "ASSETS_FOLDER": self.assets,
            "LOG_LEVEL": options.log_level,
            "TRACES_ENDPOINT": options.traces_endpoint or "",
            "TRACES_RATIO": options.traces_ratio,
        }
        return {f"BREAKWATER_{name}": str(value) for name, value in values.items() if str(value)}


def new_site(options: Options, binaries: Binaries, *, running: bool) -> Site:
    """The instance that is to be started; what runs keeps its ports, what does not gets free ones."""
    layout = Layout(options.home)
    file = layout.home / PORTS
    ports = (kept_ports(file) if running else None) or settle_ports(file)
    return _site(options, layout, ports, binaries)


def existing_site(options: Options) -> Site:
    """The instance as it was started last. Raises NotFound where it never was."""
    layout = Layout(options.home)
    ports = kept_ports(layout.home / PORTS)
    if ports is None:
        raise NotFound(f"there is no instance in {layout.home}: ./breakwater up makes one")
    return _site(options, layout, ports, binaries_of(options))


def binaries_of(options: Options) -> Binaries:
    """The programs that this instance runs. Raises ConfigurationError that names the package that is missing."""
    return find_binaries(registry=options.registry_program, data=Layout(options.home).database)


def _site(options: Options, layout: Layout, ports: Ports, binaries: Binaries) -> Site:
    return Site(
        layout=layout,
        options=options,
        ports=ports,
        binaries=binaries,
        # not resolved: the link's place is what tells Python of the virtual environment
        python=Path(sys.executable),
    )
