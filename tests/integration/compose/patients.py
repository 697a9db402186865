"""Instances for the doctor whose servers are a test's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from compose.local.binaries import Binaries
from compose.local.doctor.patient import Patient
from compose.local.layout import Layout
from compose.local.network import Ports
from compose.local.options import Options
from compose.local.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from compose.local.doctor.finding import Finding
    from shared.settings import Settings

NOW = datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Elsewhere(Patient):
    """An instance whose database and broker are a test's."""

    at: Callable[[str], Settings]

    def settings(self, part: str) -> Settings:
        """The test's."""
        return self.at(part)


def never_started(home: Path, **options: object) -> Site:
    """An instance that was never started; its programs are not asked for."""
    nowhere = Path("/nonexistent")
    return Site(
        layout=Layout(home), options=Options(home=home, **options), python=nowhere,  # type: ignore[arg-type]  # pydantic reads them
        ports=Ports(amqp=1, distribution=2, epmd=3, intake=4),
        binaries=Binaries(
            postgresql=nowhere, rabbitmq=nowhere, registry=nowhere, registry_version=2, nginx=nowhere,
            nginx_version=(1, 22), rsyslogd=nowhere,
        ),
    )  # fmt: skip


def whats(findings: Iterable[Finding]) -> str:
    return "\n".join(f"{each.severity}: {each.what}" for each in findings)
