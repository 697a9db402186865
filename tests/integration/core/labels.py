"""What the database holds of labels, and a request that comes after somebody else's change."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from falcon.testing import Result

from tests.clients.polling import eventually
from tests.integration.core.people import ADMIN, Api

ABSENT = 999_999_999


def stored(api: Api, label_id: int) -> tuple[Any, ...] | None:
    with api.database.superuser() as connection:
        found = connection.execute(
            "SELECT name, description, color, project_id FROM core.labels WHERE id = %s", (label_id,)
        )
        return found.fetchone()


def count_of(api: Api, name: str) -> int:
    """How many labels have this name, whoever keeps them."""
    with api.database.superuser() as connection:
        row = connection.execute("SELECT count(*) FROM core.labels WHERE name = %s", (name,)).fetchone()
    assert row
    return int(row[0])


def bearers(api: Api, label_id: int) -> set[str]:
    """The digests of the artifacts that bear a label."""
    with api.database.superuser() as connection:
        rows = connection.execute(
            "SELECT a.digest FROM core.artifact_labels l JOIN core.artifacts a ON a.id = l.artifact_id"
            " WHERE l.label_id = %s",
            (label_id,),
        ).fetchall()
    return {row[0] for row in rows}


def number_of(api: Api, project: str) -> int:
    return int(api.get(f"/projects/{project}").json["project_id"])


def meanwhile(api: Api, change: str, value: object, method: str, path: str, body: object) -> Result:
    """What a request answers that had to wait for a change of somebody else's, and comes after it."""
    with api.database.superuser() as connection, ThreadPoolExecutor(1) as threads:
        with connection.transaction():
            connection.execute(change.encode(), (value,))
            request = threads.submit(api.beside_others().send, method, path, ADMIN, body)
            eventually(
                lambda: connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone(),
                within=20,
                what="the request waits for the change",
            )
        return request.result(timeout=20)
