"""Replication policies as the API is asked for them, and all that a request about them writes."""

from __future__ import annotations

from typing import Any, LiteralString

from tests.integration.core.people import Api

POLICIES = "/replication/policies"


def body(registry: int, name: str = "policy", **fields: object) -> dict[str, Any]:
    return {"name": name, "dest_registry": {"id": registry}} | fields


def rows(api: Api, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
    with api.database.superuser() as connection:
        return connection.execute(query, values).fetchall()


def written(api: Api) -> list[tuple[Any, ...]]:
    """All that a refused request could have written."""
    return rows(
        api,
        """
        SELECT (SELECT jsonb_agg(p ORDER BY id) FROM replication.policies p),
               (SELECT jsonb_agg(e ORDER BY id) FROM replication.executions e),
               (SELECT count(*) FROM events.outbox WHERE type LIKE 'breakwater.replication%%')
        """,
    )
