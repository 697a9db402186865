"""Bodies about the allowlist of vulnerabilities."""

from pydantic import Field

from gateway.core.reading import Body
from services.api.domain.allowlist import Tolerated


class AllowlistItemBody(Body):
    """A vulnerability."""

    cve_id: str = ""


class AllowlistBody(Body):
    """The whole list as it shall be."""

    items: list[AllowlistItemBody] = Field(default=[])
    expires_at: int | None = None

    def tolerated(self) -> Tolerated:
        """What the list shall hold."""
        return Tolerated(cves=tuple(item.cve_id for item in self.items), expires_at=self.expires_at)
