"""What parts have told of themselves, as it lies in the database."""

from __future__ import annotations

from tests.integration.conftest import Database


def told(database: Database, part: str) -> dict[tuple[str, ...], float]:
    """The values of a part by name and labels."""
    with database.superuser() as connection:
        found = connection.execute("SELECT name, labels, value FROM metrics.figures WHERE part = %s", (part,))
        return {(name, *labels): value for name, labels, value in found.fetchall()}


def silent_for(database: Database, part: str) -> float | None:
    """Since how many seconds a part has said nothing; None where it never did."""
    with database.superuser() as connection:
        row = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp() - told_at) FROM metrics.parts WHERE part = %s", (part,)
        ).fetchone()
        return float(row[0]) if row else None
