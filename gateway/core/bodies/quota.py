"""Bodies about quotas."""

from pydantic import Field

from gateway.core.reading import Body


class QuotaBody(Body):
    """New limits, by resource."""

    hard: dict[str, int] = Field(default={}, max_length=100)
