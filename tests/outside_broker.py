"""A RabbitMQ outside of every instance, in the open and with TLS, that knows nothing of any."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compose.local.certificate import make_certificate
from tests.servers import Rabbit, free_port, rabbitmq, short_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class OutsideBroker:
    """The server, and what proves its name."""

    rabbit: Rabbit
    host: str
    tls_port: int
    ca: Path

    @property
    def variables(self) -> dict[str, str]:
        """The settings of an instance that uses it: of two nodes, the first of which is away."""
        nodes = f"{self.host}:{free_port()},{self.host}:{self.tls_port}"
        return {"BREAKWATER_AMQP_HOST": nodes, "BREAKWATER_AMQP_VHOST": "images", "BREAKWATER_AMQP_CA": str(self.ca)}


@contextmanager
def outside_broker(host: str = "localhost", *, address: str = "127.0.0.1") -> Iterator[OutsideBroker]:
    """Started; gone at the end. It proves that it is `host`, and takes TLS at that address."""
    with short_folder() as folder:
        chain, key = make_certificate(folder / "tls", [host], datetime.now(UTC))
        port = free_port()
        more = [
            f"listeners.ssl.default = {address}:{port}", f"ssl_options.cacertfile = {chain}",
            f"ssl_options.certfile = {chain}", f"ssl_options.keyfile = {key}", "ssl_options.verify = verify_none",
        ]  # fmt: skip
        with rabbitmq(more=more) as rabbit:
            yield OutsideBroker(rabbit=rabbit, host=host, tls_port=port, ca=chain)
