"""An instance that is described and never started."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from compose.docker.site import container_site
from compose.local.binaries import Binaries
from compose.local.layout import Layout
from compose.local.network import Ports
from compose.local.options import CHECKOUT, Options
from compose.local.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def make_site(tmp_path: Path) -> Callable[..., Site]:
    """A site with some options of one's own."""

    def make(*, registry_version: int = 2, **options: object) -> Site:
        values = {"home": tmp_path, "bind": IPv4Address("127.0.0.1"), "port": 8080} | options
        return Site(
            layout=Layout(tmp_path, CHECKOUT),
            options=Options(**values),
            ports=Ports(amqp=40001, distribution=40002, epmd=40003, intake=40004),
            binaries=Binaries(
                postgresql=Path("/usr/lib/postgresql/15/bin"),
                rabbitmq=Path("/usr/lib/rabbitmq/bin"),
                registry=Path("/usr/bin/docker-registry"),
                registry_version=registry_version,
                nginx=Path("/usr/sbin/nginx"),
                nginx_version=(1, 22),
                rsyslogd=Path("/usr/sbin/rsyslogd"),
            ),
            python=Path("/venv/bin/python"),
        )

    return make


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """That of the containers, as it is without settings."""
    for name in [name for name in os.environ if name.startswith("BREAKWATER_")]:
        monkeypatch.delenv(name)
    return container_site()
