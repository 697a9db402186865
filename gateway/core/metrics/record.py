"""Component record: whether the audit record holds, as far as it was verified."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client import Metric

from gateway.core.metrics.collector import READ, Scrape
from gateway.core.metrics.family import Family, gauge
from services.audit.queries.checks import list_checks
from shared.auth.roles import Permission

HOLDS: Final = gauge(
    "audit_holds",
    "Whether the audit record held when it was verified last: its newest links each hour, all of it by the command. "
    "Without a value until it was.",
    "scope",
)
VERIFIED: Final = gauge("audit_verified_timestamp_seconds", "When that was, in seconds since 1970.", "scope")


class RecordMetrics:
    """Component record."""

    asks_parts = False
    needs: tuple[Permission, ...] = (READ,)
    catalogue: Sequence[Family] = (HOLDS, VERIFIED)

    def families(self, scrape: Scrape) -> Iterator[Metric]:
        """As the audit service has found."""
        verified = [(each, each.verified_at) for each in list_checks(scrape.session)]
        yield HOLDS.told(((each.scope,), each.broken is None) for each, at in verified if at)
        yield VERIFIED.told(((each.scope,), at.timestamp()) for each, at in verified if at)
