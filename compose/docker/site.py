"""The instance as the containers see it: the same places, ports and programs in each of them."""

import sys
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from compose.local.binaries import Binaries
from compose.local.layout import Layout
from compose.local.network import Ports
from compose.local.options import read_options
from compose.local.site import AMQP_AUTHORITIES, AUTHORITIES, LOOPBACK, Site
from shared.errors import ConfigurationError

HOME = Path("/var/lib/breakwater")
PORT = 8080
"""The proxy's, inside its container."""
PORTS = Ports(amqp=5672, distribution=25672, epmd=4369, intake=5001)
BINARIES = Binaries(
    postgresql=Path("/usr/lib/postgresql/15/bin"),
    rabbitmq=Path("/opt/rabbitmq/sbin"),
    registry=Path("/bin/registry"),
    registry_version=2,
    nginx=Path("/usr/sbin/nginx"),
    # the form that later versions understand too
    nginx_version=(1, 22),
    rsyslogd=Path("/usr/sbin/rsyslogd"),
)
"""Where the official images have their programs; those out of Debian's packages have links there."""
BROKER = "rabbitmq"
MOST_REPLICAS = 8
MOST_PODS = 8


class Surroundings(BaseSettings):
    """What the containers of an instance have around them: compose says nothing of it, the chart of Kubernetes does."""

    model_config = SettingsConfigDict(env_prefix="BREAKWATER_", frozen=True, extra="ignore")

    pod: bool = False
    """Whether they share one network: then they find each other on loopback, where nobody else does."""
    replicas: int = Field(default=1, ge=1, le=MOST_REPLICAS)
    """How many containers of each part in Python there are."""
    pods: int = Field(default=1, ge=1, le=MOST_PODS)
    """How many pods there are, each with all parts, of an instance whose database, broker and images are outside."""
    pod_name: str = ""
    """This one's, as Kubernetes names it: the last word is its number, from 0."""
    brokers: str = ""
    """The hosts of the nodes of a broker that is a cluster, with blanks between them, a lone one's first."""


def container_site(**given: Path | None) -> Site:
    """Derived from the same environment in every container; what is given is known to the one that hands it out.

    Raises ConfigurationError.
    """
    laid = {"database_ca": HOME / "conf" / AUTHORITIES, "amqp_ca": HOME / "conf" / AMQP_AUTHORITIES}
    known = {name: file if file.exists() else None for name, file in laid.items()} | given
    around = Surroundings()
    pod = around.pod
    options = read_options(home=HOME, bind=IPv4Address(0), port=PORT, **known)
    if options.amqp_host and around.brokers:
        raise ConfigurationError(
            "BREAKWATER_AMQP_HOST names a broker outside, and compose.scale.yaml brings one of three nodes: leave one"
            " of the two away"
        )
    return Site(
        layout=Layout(HOME),
        options=options,
        ports=PORTS,
        binaries=BINARIES,
        python=Path(sys.executable),
        broker=LOOPBACK if pod else BROKER,
        brokers=tuple(around.brokers.split()),
        replicas=around.replicas,
        pods=around.pods,
        intake=LOOPBACK if pod else "intake",
        contained=True,
    )
