"""Bodies about the allowlist of vulnerabilities."""

from pydantic import Field

from gateway.core.reading import Body


class AllowlistItemBody(Body):
    """A vulnerability."""

    cve_id: str = ""


class AllowlistBody(Body):
    """The whole list as it shall be."""

    items: list[AllowlistItemBody] = Field(default=[])
    expires_at: int | None = None
