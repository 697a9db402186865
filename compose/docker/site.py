"""The instance as the containers see it: the same places and ports in each of them."""

import sys
from ipaddress import IPv4Address
from pathlib import Path

from compose.local.layout import Layout
from compose.local.network import Ports
from compose.local.options import read_options
from compose.local.site import Site, binaries_of

HOME = Path("/var/lib/breakwater")
PORT = 8080
"""The proxy's, inside its container."""
PORTS = Ports(amqp=5672, distribution=25672, epmd=4369, intake=5001)
BROKER = "rabbitmq"
"""The name of the broker's container."""


def container_site() -> Site:
    """Derived from the same environment in every container."""
    options = read_options(home=HOME, bind=IPv4Address(0), port=PORT)
    return Site(
        layout=Layout(HOME),
        options=options,
        ports=PORTS,
        binaries=binaries_of(options),
        python=Path(sys.executable),
        broker=BROKER,
        spools=False,
    )
